"""What `make docs` makes of polyexp: the pages of the reference, the pictures of the tutorial, and the notebook as a page."""
