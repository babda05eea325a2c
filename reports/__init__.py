"""Reports: result rows to tables, LaTeX, Markdown, CSV and plots; reads results, nothing else."""
