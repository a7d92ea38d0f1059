"""Methods of others that tables show beside the models: run, never copied.

MOFA2 is a package of the extra ``bench``. CustOmics and Flexynesis live in environments of their own.
"""
