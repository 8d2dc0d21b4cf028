"""What gpucheck's pages have in common: the style sheet, the frame of a page, and the pieces it is built of.

A page is one file, without network, built as a tree by the standard library's ElementTree, which escapes every text and
attribute as it writes: there is no place where a string of the machine could be forgotten. Nothing here knows what a
page tells.
"""
