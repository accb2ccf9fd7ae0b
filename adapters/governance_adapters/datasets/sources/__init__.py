"""Where datasets lie: folders, manifests, tars, saved datasets and Croissant documents, read part by part."""
