"""One module for each kind of reference page; `page()` gives its Markdown."""
