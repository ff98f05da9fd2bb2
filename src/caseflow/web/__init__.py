"""The public face: pages for people, made on the server of what anyone may see.

Nothing here needs a script, sets a cookie or loads from elsewhere. Pages are told what the API
answers to a reader without a key; the forms alone know what a key may do.
"""
