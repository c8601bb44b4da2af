"""What layers do to channels: one rule a kind of layer, in families."""

from tfxai3d.pruning.shrink.rules import channelwise as channelwise
from tfxai3d.pruning.shrink.rules import merging as merging
from tfxai3d.pruning.shrink.rules import places as places
from tfxai3d.pruning.shrink.rules import products as products
