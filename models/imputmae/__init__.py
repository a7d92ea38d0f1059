"""ImpuTMAE: masked autoencoders per modality with a joint decoder, and discrete-time survival on top."""
