"""What comes in: files, ModelNet, procedural shapes, voxels. Only the augmentations load Keras."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.data import shapes as shapes
    from tfxai3d.data.augment.points import augmentation as augmentation
    from tfxai3d.data.augment.points import training_batches as training_batches
    from tfxai3d.data.augment.voxels import coarsen as coarsen
    from tfxai3d.data.augment.voxels import voxel_augmentation as voxel_augmentation
    from tfxai3d.data.augment.voxels import voxel_batches as voxel_batches
    from tfxai3d.data.datasets.modelnet import MODELNET40_CLASSES as MODELNET40_CLASSES
    from tfxai3d.data.datasets.modelnet import load_modelnet40 as load_modelnet40
    from tfxai3d.data.datasets.modelnet import modelnet40_shards as modelnet40_shards
    from tfxai3d.data.datasets.opening import known_shapes as known_shapes
    from tfxai3d.data.datasets.opening import open_dataset as open_dataset
    from tfxai3d.data.datasets.split import Split as Split
    from tfxai3d.data.datasets.split import relabel as relabel
    from tfxai3d.data.datasets.voxels import MODELNET10_CLASSES as MODELNET10_CLASSES
    from tfxai3d.data.datasets.voxels import find_empty as find_empty
    from tfxai3d.data.datasets.voxels import load_modelnet10 as load_modelnet10
    from tfxai3d.data.datasets.voxels import load_voxels as load_voxels
    from tfxai3d.data.distance import distance_field as distance_field
    from tfxai3d.data.distance import truncated_distance_field as truncated_distance_field
    from tfxai3d.data.gridding import GridForm as GridForm
    from tfxai3d.data.orientation import even_rotations as even_rotations
    from tfxai3d.data.orientation import rotated_grids as rotated_grids
    from tfxai3d.data.orientation import rotated_points as rotated_points
    from tfxai3d.data.orientation import z_up_to_y_up as z_up_to_y_up
    from tfxai3d.data.readers.binvox import read_binvox as read_binvox
    from tfxai3d.data.readers.binvox import write_binvox as write_binvox
    from tfxai3d.data.readers.clouds import open_cloud as open_cloud
    from tfxai3d.data.readers.loading import load_grid as load_grid
    from tfxai3d.data.readers.loading import load_points as load_points
    from tfxai3d.data.readers.loading import load_volume as load_volume
    from tfxai3d.data.readers.loading import to_grid as to_grid
    from tfxai3d.data.readers.loading import to_points as to_points
    from tfxai3d.data.readers.reading import read as read
    from tfxai3d.data.resampling import resampled as resampled
    from tfxai3d.data.resampling import resampled_affine as resampled_affine
    from tfxai3d.data.sampling import normalize as normalize
    from tfxai3d.data.sampling import sample_surface as sample_surface
    from tfxai3d.data.tiles import Tiles as Tiles
    from tfxai3d.data.tiles import cut_tiles as cut_tiles
    from tfxai3d.data.volume_writers import map_suffix as map_suffix
    from tfxai3d.data.volume_writers import write_volume as write_volume
    from tfxai3d.data.voxelization import poses as poses
    from tfxai3d.data.voxelization import voxelize as voxelize
    from tfxai3d.data.voxelization import voxelize_points as voxelize_points
    from tfxai3d.data.writers import takes_column as takes_column
    from tfxai3d.data.writers import write_column as write_column

__getattr__, __dir__ = lazy(__name__)
