"""Supervised heads on a trained model: classes, Cox and discrete-time survival, by probe or by fine-tuning."""
