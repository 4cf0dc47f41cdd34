"""Pages: what their templates show is computed here, how it looks is in the templates."""
