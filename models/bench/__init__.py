"""Tables of the models' publications, made again on data of one's own."""
