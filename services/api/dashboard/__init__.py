"""The dashboard: pages for people, rendered here, with scripts and styles that are built from `web/`."""
