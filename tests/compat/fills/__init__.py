"""Our paper venue's fills against hftbacktest's, on one recording; see ../README.md."""
