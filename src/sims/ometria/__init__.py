"""Simulated Ometria: the Data API as documented, with a switch wherever the documents are silent or disagree."""
