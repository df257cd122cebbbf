"""The network of the Keras tutorials as a Keras model: the one that keras-mnist.toml names, trained by Keras itself.

    pixelwright train classify --model keras:recipes/keras_mnist.py --data mnist --epochs 5

It comes without an optimizer, so that it gets Adam and sparse cross-entropy from logits; batches of 32 are the default.
Its 93,322 parameters are those for 28x28 gray pictures of ten classes.

Source: "Convolutional Neural Network (CNN)", https://www.tensorflow.org/tutorials/images/cnn; more of it stands in
`models.keras_mnist`. No code was copied.
"""

import keras
from keras import layers


def build(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Maps pictures (N, H, W, C), 0..1, to logits (N, classes)."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes),
        ]
    )
