"""The questions of the EU's template, by its own numbers.

Commission, "Explanatory Notice and Template for the Public Summary of Training Content for general-purpose AI models required
by Article 53(1)(d) of Regulation (EU) 2024/1689", of 24 July 2025, adopted as C(2025) 8311. Optional comments are left out.
"""

from __future__ import annotations

from typing import Final

from governance.documents.answers import Form, Question

FORM: Final = Form(
    "Public summary of training content",
    "Regulation (EU) 2024/1689, Article 53(1)(d); template of the Commission, July 2025",
    {
        "1": "General information",
        "1.1": "Provider identification",
        "1.2": "Model identification",
        "1.3": "Modalities, overall training data size and other characteristics",
        "2": "List of data sources",
        "2.1": "Publicly available datasets",
        "2.2.1": "Private datasets commercially licensed by rightsholders or their representatives",
        "2.2.2": "Private datasets obtained from other third parties",
        "2.3": "Data crawled and scraped from online sources",
        "2.4": "User data",
        "2.5": "Synthetic data",
        "2.6": "Other sources of data",
        "3": "Data processing aspects",
        "3.1": "Reservation of rights from the text and data mining exception",
        "3.2": "Removal of illegal content",
        "3.3": "Other information",
    },
    (
        Question("1", "version", "Version of the summary"),
        Question("1", "last_update", "Last update"),
        Question("1.1", "provider", "Provider name and contact details"),
        Question("1.1", "representative", "Authorised representative name and contact details"),
        Question("1.2", "model", "Versioned model name"),
        Question("1.2", "dependencies", "Model dependencies"),
        Question("1.2", "placed", "Date of placement of the model on the Union market"),
        Question("1.3", "modality", "Modality"),
        Question("1.3", "size", "Training data size"),
        Question("1.3", "content", "Types of content"),
        Question("1.3", "latest", "Latest date of data acquisition or collection"),
        Question("1.3", "ongoing", "Is the model trained on new data after this date?"),
        Question("1.3", "languages", "Linguistic characteristics of the training data"),
        Question("1.3", "other", "Other relevant characteristics of the training data"),
        Question("2", "sources", "Datasets that went in, and how that is known"),
        Question("2.1", "public", "Were publicly available datasets used?"),
        Question("2.1", "public_modality", "Modality of these datasets"),
        Question("2.1", "public_list", "List of large publicly available datasets, and description of the others"),
        Question("2.2.1", "licensed", "Were licences agreed with rightsholders or their representatives?"),
        Question("2.2.1", "licensed_modality", "Modality of these datasets"),
        Question("2.2.2", "private", "Were other private datasets obtained from third parties?"),
        Question("2.2.2", "private_modality", "Modality of these datasets"),
        Question("2.2.2", "private_list", "Description of these datasets"),
        Question("2.3", "crawled", "Were crawlers used, by the provider or on its behalf?"),
        Question("2.3", "crawlers", "Names of the crawlers, their purposes and behaviour"),
        Question("2.3", "crawl_period", "Period of collection"),
        Question("2.3", "crawl_modality", "Modality of the content"),
        Question("2.3", "crawl_domains", "Most relevant domain names crawled"),
        Question("2.4", "interactions", "Were interactions with the model used?"),
        Question("2.4", "services", "Were interactions with other services of the provider used?"),
        Question("2.4", "user_modality", "Modality of these data"),
        Question("2.5", "synthetic", "Were synthetic data made for the training, by the provider or on its behalf?"),
        Question("2.5", "synthetic_modality", "Modality of these data"),
        Question("2.5", "synthetic_models", "Models that made them"),
        Question("2.6", "others", "Were other sources used?"),
        Question("2.6", "others_list", "Description of these sources"),
        Question("3.1", "code", "Is the provider a signatory of the Code of Practice?"),
        Question("3.1", "reservations", "Measures to respect reservations of rights, before and during collection"),
        Question("3.2", "illegal", "Measures to remove illegal content"),
        Question("3.3", "further", "Other information about the processing of the data"),
    ),
)
