"""The embedded data set: everyday objects, generated, with part and edge labels from their exact geometry."""

from tfxai3d.data.shapes.cad import cad_shape as cad_shape
from tfxai3d.data.shapes.catalogue import PART_NAMES as PART_NAMES
from tfxai3d.data.shapes.catalogue import SHAPE_CLASSES as SHAPE_CLASSES
from tfxai3d.data.shapes.catalogue import SHAPE_PARTS as SHAPE_PARTS
from tfxai3d.data.shapes.catalogue import ShapesDataset as ShapesDataset
from tfxai3d.data.shapes.catalogue import draw_cloud as draw_cloud
from tfxai3d.data.shapes.catalogue import draw_labels as draw_labels
from tfxai3d.data.shapes.catalogue import draw_parts as draw_parts
from tfxai3d.data.shapes.catalogue import draw_shape as draw_shape
from tfxai3d.data.shapes.catalogue import make_dataset as make_dataset
from tfxai3d.data.shapes.catalogue import make_shape as make_shape
from tfxai3d.data.shapes.catalogue import parts_of as parts_of
from tfxai3d.data.shapes.ground_truth import GROUND_TRUTHS as GROUND_TRUTHS
from tfxai3d.data.shapes.ground_truth import GroundTruth as GroundTruth
from tfxai3d.data.shapes.ground_truth import make_ground_truth as make_ground_truth
from tfxai3d.data.shapes.mesh import CREASE_DEGREES as CREASE_DEGREES
from tfxai3d.data.shapes.mesh import ShapeMesh as ShapeMesh
from tfxai3d.data.shapes.sampling import CORNER as CORNER
from tfxai3d.data.shapes.sampling import EDGE as EDGE
from tfxai3d.data.shapes.sampling import FEATURE_NAMES as FEATURE_NAMES
from tfxai3d.data.shapes.sampling import FEATURE_TOLERANCE as FEATURE_TOLERANCE
from tfxai3d.data.shapes.sampling import FLAT as FLAT
from tfxai3d.data.shapes.sampling import LabelledCloud as LabelledCloud
from tfxai3d.data.shapes.sampling import sample_shape as sample_shape
from tfxai3d.data.shapes.sampling import segment_distance as segment_distance
