"""The parts of doctor's page, one module a section: each is given its parent, the report and the level of its headings.

gpucheck/render/html.py puts them together; what a page is made of is in gpucheck/render/web.
"""
