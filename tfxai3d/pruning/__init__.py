"""What a network can lose: pruning while it trains, reports, and compact files."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.pruning.dns import DynamicNetworkSurgery as DynamicNetworkSurgery
    from tfxai3d.pruning.keep_zeros import KeepZeros as KeepZeros
    from tfxai3d.pruning.kernels import kernel_sparsity as kernel_sparsity
    from tfxai3d.pruning.kernels import select_kernels as select_kernels
    from tfxai3d.pruning.plan import GradualTarget as GradualTarget
    from tfxai3d.pruning.regrow import PruneAndRegrow as PruneAndRegrow
    from tfxai3d.pruning.shrink.dead_channels import remove_dead_channels as remove_dead_channels
    from tfxai3d.pruning.sparse_store import load_sparse as load_sparse
    from tfxai3d.pruning.sparse_store import save_sparse as save_sparse
    from tfxai3d.pruning.surgery import prune_magnitude as prune_magnitude

__getattr__, __dir__ = lazy(__name__)
