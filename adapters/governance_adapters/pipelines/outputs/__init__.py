"""What a call made: taken from the output that the pipeline returned, and handed out anew from released bytes."""
