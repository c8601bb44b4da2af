"""What is claimed of explanations, put into numbers: each claim is a function that returns intervals."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.evaluate.claims.claim import Claim as Claim
    from tfxai3d.evaluate.claims.claim import Table as Table
    from tfxai3d.evaluate.claims.claim import importance_maps as importance_maps
    from tfxai3d.evaluate.claims.edges import edges_and_corners as edges_and_corners
    from tfxai3d.evaluate.claims.empty import empty_voxels as empty_voxels
    from tfxai3d.evaluate.claims.marked import Marked as Marked
    from tfxai3d.evaluate.claims.marked import marked_meshes as marked_meshes
    from tfxai3d.evaluate.claims.marked import marked_shapes as marked_shapes
    from tfxai3d.evaluate.claims.pruned import before_and_after_pruning as before_and_after_pruning
    from tfxai3d.evaluate.claims.removal import without_edges as without_edges

__getattr__, __dir__ = lazy(__name__)
