"""The survey of a study: a page in the rater's browser, and the web server behind it.

app.py      the routes, and what they accept
guards.py   headers of every answer, limits of size and rate
serve.py    opens a study, binds the port, runs uvicorn
client.py   answers a served study over HTTP, as the page does
pages/      the page: HTML, one style sheet, one script
"""
