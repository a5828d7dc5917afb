"""What each call of the API does, free of HTTP and of any particular engine.

An operation is a function of a `Service` and a request; it returns the answer, or `None` where the answer has
no content, and raises what `iwf_api.errors` knows how to answer. Requests reach it through
`iwf_api.operations.requests`, which has made sure that whatever is required is there.
"""
