"""The TensorFlow operations that a SavedModel of a stranger may hold, by families.

The list holds what networks and their explanations need and nothing else. Whatever is not on it is refused:
operations that reach files, the network, Python, other processes or uninitialised memory, data sets, queues,
tables, decoders, and kernels that no ordinary network uses, however harmless they look.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

_Key = TypeVar("_Key")


def _named(families: Mapping[_Key, str]) -> MappingProxyType[_Key, frozenset[str]]:
    return MappingProxyType({key: frozenset(names.split()) for key, names in families.items()})


FAMILIES = _named({
    "arithmetic: each number of the result is a function of numbers": """
        Abs AccumulateNV2 Acos Acosh Add AddN AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2 Atanh
        BesselI0 BesselI0e BesselI1 BesselI1e Betainc BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue
        Complex ComplexAbs Conj Cos Cosh Dawsn Digamma Div DivNoNan Equal Erf Erfc Erfinv Exp Expint Expm1
        Floor FloorDiv FloorMod Greater GreaterEqual Igamma Igammac Imag Inv InvGrad Invert IsFinite IsInf
        IsNan LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod
        Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma PopulationCount Pow Real RealDiv Reciprocal
        ReciprocalGrad RightShift Rint Round Rsqrt RsqrtGrad Select SelectV2 Sigmoid SigmoidGrad Sign Sin
        Sinh Softplus SoftplusGrad Softsign SoftsignGrad Spence Sqrt SqrtGrad Square SquaredDifference Sub
        Tan Tanh TanhGrad TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta""",
    "reductions and linear algebra: sums, products, extremes, decompositions": """
        All Any ArgMax ArgMin BatchMatMul BatchMatMulV2 BatchMatMulV3 Bincount Bucketize Cholesky
        CholeskyGrad Cross Cumprod Cumsum CumulativeLogsumexp DenseBincount Eig Einsum EuclideanNorm
        HistogramFixedWidth L2Loss LogMatrixDeterminant Lu MatMul MatrixBandPart MatrixDeterminant
        MatrixExponential MatrixInverse MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Max
        Mean Min NthElement Prod Qr SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum
        SelfAdjointEigV2 Sum Svd TopK TopKV2 UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
        UnsortedSegmentSum""",
    "layers of networks, with their gradients": """
        AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BatchNormWithGlobalNormalization BiasAdd BiasAddGrad
        BiasAddV1 Conv Conv2D Conv2DBackpropFilter Conv2DBackpropFilterV2 Conv2DBackpropInput
        Conv2DBackpropInputV2 Conv3D Conv3DBackpropFilter Conv3DBackpropFilterV2 Conv3DBackpropInput
        Conv3DBackpropInputV2 CudnnRNN CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3
        CudnnRNNCanonicalToParams CudnnRNNCanonicalToParamsV2 CudnnRNNParamsSize CudnnRNNV2 CudnnRNNV3
        DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Elu
        EluGrad FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVars
        FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannel
        FakeQuantWithMinMaxVarsPerChannelGradient FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2
        FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 InTopK InTopKV2 LRN LRNGrad LeakyRelu
        LeakyReluGrad LogSoftmax MaxPool MaxPool3D MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad
        MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradV2 MaxPoolGradWithArgmax MaxPoolV2 MaxPoolWithArgmax
        QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeAndDequantizeV4Grad
        Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad Softmax SoftmaxCrossEntropyWithLogits
        SparseSoftmaxCrossEntropyWithLogits""",
    "shapes and indexing: numbers are arranged, picked and repeated": """
        BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Concat
        ConcatOffset ConcatV2 ConjugateTranspose Const DepthToSpace Diag DiagPart DynamicPartition
        DynamicStitch EnsureShape ExpandDims ExtractImagePatches ExtractVolumePatches Fill Gather GatherNd
        GatherV2 GuaranteeConst Identity IdentityN InvertPermutation LinSpace ListDiff LowerBound MatrixDiag
        MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag
        MatrixSetDiagV2 MatrixSetDiagV3 MirrorPad MirrorPadGrad NoOp OneHot OnesLike Pack Pad PadV2
        ParallelDynamicStitch Placeholder PlaceholderWithDefault PreventGradient Range Rank Reshape Reverse
        ReverseSequence ReverseV2 Roll ScatterNd Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND
        SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice StridedSliceGrad TensorScatterAdd
        TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile
        Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex UpperBound Where
        XlaDynamicSlice XlaDynamicUpdateSlice ZerosLike""",
    "Fourier transforms": """
        FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND RFFT RFFT2D RFFT3D
        RFFTND""",
    "images and volumes are resized, moved and recoloured": """
        AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize CropAndResizeGradBoxes
        CropAndResizeGradImage HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3 RGBToHSV
        ResizeArea ResizeBicubic ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor
        ResizeNearestNeighborGrad ScaleAndTranslate ScaleAndTranslateGrad""",
    "random numbers, of a seed or of a generator that is a variable of the model": """
        Multinomial NonDeterministicInts ParameterizedTruncatedNormal RandomGamma RandomPoissonV2
        RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip RngSkip
        StatefulRandomBinomial StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform
        StatefulUniformFullInt StatefulUniformInt StatelessMultinomial StatelessParameterizedTruncatedNormal
        StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomGetAlg
        StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal
        StatelessRandomNormalV2 StatelessRandomPoisson StatelessRandomUniform StatelessRandomUniformFullInt
        StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
        StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2
        TruncatedNormal""",
    "branches, loops and calls: their functions are checked like any other": """
        Case ControlTrigger DeviceIndex Enter Exit If LoopCond Merge NextIteration PartitionedCall
        StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile Switch While""",
    "variables of the model, which are handed in by the object that owns them": """
        AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead ReadVariableOp
        ResourceGather ResourceGatherNd ResourceScatterAdd ResourceScatterDiv ResourceScatterMax
        ResourceScatterMin ResourceScatterMul ResourceScatterNdAdd ResourceScatterNdMax ResourceScatterNdMin
        ResourceScatterNdSub ResourceScatterNdUpdate ResourceScatterSub ResourceScatterUpdate
        ResourceStridedSliceAssign VarIsInitializedOp VariableShape""",
    "lists of tensors, which loops fill and which end with the call": """
        EmptyTensorList TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayGradV3
        TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
        TensorArrayWriteV3 TensorListConcat TensorListConcatLists TensorListConcatV2 TensorListElementShape
        TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack
        TensorListPushBack TensorListPushBackBatch TensorListReserve TensorListResize TensorListScatter
        TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit
        TensorListStack""",
    "values that may be missing: what a branch that is not taken has not computed for its gradient": """
        OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone""",
    "checks, and messages on the terminal; `trust` refuses messages that go to a file": """
        Assert CheckNumerics PrintV2 StringFormat""",
})  # fmt: skip
"""What may stand anywhere, by the reason why it is harmless."""

ALLOWED = frozenset[str]().union(*FAMILIES.values())

SAVER = frozenset(
    ("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename", "StaticRegexFullMatch", "StringJoin")
)
"""What writes and reads checkpoints. TensorFlow puts it into two functions of every SavedModel, `traced_save`
and `traced_restore`, which only programs of TensorFlow 1 call; `tf.saved_model.load` does not."""

_SIZED = _named({
    (0,): """
        AvgPool3DGrad AvgPoolGrad Conv2DBackpropInput Conv3DBackpropInputV2
        DepthwiseConv2dNativeBackpropInput EmptyTensorList Fill NonDeterministicInts
        ParameterizedTruncatedNormal RandomGamma RandomPoissonV2 RandomStandardNormal RandomUniform
        RandomUniformInt StatelessParameterizedTruncatedNormal StatelessRandomBinomial StatelessRandomGammaV2
        StatelessRandomGammaV3 StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
        StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2
        StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2
        StatelessTruncatedNormal StatelessTruncatedNormalV2 StridedSliceGrad TensorArrayV3 TruncatedNormal""",
    (0, 1): "TensorListReserve",
    (1,): """
        Bincount BroadcastTo Conv2DBackpropFilter Conv3DBackpropFilterV2 DenseBincount
        DepthwiseConv2dNativeBackpropFilter FFTND IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND MirrorPad Multinomial
        OneHot Pad PadV2 RFFT RFFT2D RFFT3D RFFTND Range ResizeArea ResizeBicubic ResizeBilinear
        ResizeNearestNeighbor ResizeNearestNeighborGrad ScaleAndTranslate SpaceToBatch StatelessMultinomial
        TensorListConcatV2 TensorListPopBack TensorListResize TensorListStack Tile""",
    (2,): """
        HistogramFixedWidth ImageProjectiveTransformV2 ImageProjectiveTransformV3 LinSpace ScatterNd
        SpaceToBatchND StatefulRandomBinomial StatefulStandardNormalV2 StatefulTruncatedNormal
        StatefulUniform StatefulUniformFullInt StatefulUniformInt TensorListGather TensorListGetItem
        TensorListScatter UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum""",
    (2, 3): "MatrixDiagV2 MatrixDiagV3 TensorListScatterV2",
    (3,): "CropAndResize CropAndResizeGradImage",
})  # fmt: skip

SIZED = MappingProxyType({name: places for places, names in _SIZED.items() for name in names})
"""What makes as many numbers as some of its inputs say, by the places of those inputs: a few bytes in them
can ask for any memory."""
