"""SavedModels made to do harm are refused in one line before TensorFlow runs any of them."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from tests.serve import hostile
from tests.serve.hostile import absurd, constant, node, put, refused
from tfxai3d import serve
from tfxai3d.errors import UserError
from tfxai3d.models.saved_model.operations import ALLOWED, FAMILIES, SAVER, SIZED

PLACES = (
    "serve",
    "then_branch",
    "else_branch",
    "cond",
    "body",
    "gradient",
    "main graph",
    "save",
    "restore",
    "function that nothing calls",
)
FORBIDDEN = {
    "writes": "DebugIdentityV3 DumpTensor MergeV2Checkpoints Save SaveDatasetV2 SaveSlices SaveV2 "
    "SnapshotDatasetV2 WriteFile CreateSummaryFileWriter CreateSummaryDbWriter WriteSummary",
    "reads": "FixedLengthRecordDatasetV2 ImmutableConst InitializeTableFromTextFileV2 LMDBReader "
    "LoadAndRemapMatrix LoadDataset MatchingFiles ReadFile Restore RestoreV2 SqlDataset TextLineDataset "
    "TextLineReaderV2 TFRecordDatasetV2 WholeFileReader WholeFileReaderV2",
    "reaches other processes": "DataServiceDatasetV4 RemoteCall RpcClient RpcServer _Recv _Send",
    "runs other programs": "Abort EagerPyFunc PyFunc PyFuncStateless XlaCallModule XlaCustomCallV2",
    "reads the process": "Empty FakeParam GetSessionTensor IteratorFromStringHandleV2 StubResourceHandleOp",
    "hides a graph": "DatasetFromGraph DecodeRaw MapDataset OneShotIterator ParseTensor",
    "is not known": "NobodysOperation",
}
OPERATIONS = [name for names in FORBIDDEN.values() for name in names.split()]
POINTS = np.ones((2, 4, 3), np.float32)


def test_the_small_one_passes(small, edited):
    expected = tf.saved_model.load(str(small)).signatures["serving_default"](tf.constant(POINTS))["logits"]
    for folder in (small, edited.write()):
        np.testing.assert_array_equal(serve.load(folder, "points")(POINTS), expected)


@pytest.mark.parametrize("number", range(len(OPERATIONS)), ids=OPERATIONS)
def test_an_operation_that_is_not_on_the_list(edited, number):
    """Each in one place, all places in turn; the saver's two functions may hold what they need."""
    operation, place = OPERATIONS[number], PLACES[number % len(PLACES)]
    if operation in SAVER and place in ("save", "restore"):
        place = "serve"
    graph = edited.place(place)
    put(graph, node(operation))
    where = "the main graph" if place == "main graph" else f"the function {graph.signature.name}"
    refused(edited.write(), f"operation {operation} in {where}", "trust=True")


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_stands(edited, place, tmp_path):
    target = tmp_path / "written"
    put(edited.place(place), *hostile.write_file(target))
    refused(edited.write(), "operation WriteFile in")
    assert not target.exists()


@pytest.mark.parametrize("nodes", [hostile.write_file, hostile.save_file])
@pytest.mark.parametrize("place", ["serve", "signature_wrapper", "body"])
def test_what_the_trusted_ones_would_do(edited, place, nodes, tmp_path):
    """These graphs are no dummies: loaded with trust=True, they write when they are called."""
    target = tmp_path / "written"
    put(edited.place(place), *nodes(target))
    folder = edited.write()
    refused(folder)
    serve.load(folder, "points", trust=True)(POINTS)
    assert list(tmp_path.glob("written*"))


def test_a_worker_of_a_bulk_run_does_not_believe_it_either(edited, tmp_path):
    pytest.importorskip("apache_beam")
    from tfxai3d.serve.bulk import ExplainClouds, Job
    from tfxai3d.serve.bulk.limited import load_explainer

    put(edited.place("serve"), *hostile.write_file(tmp_path / "written"))
    with pytest.raises(UserError, match="operation WriteFile"):
        load_explainer(str(edited.write()), "vanilla_gradient", 1, Job("1", "out").trust)
    assert inspect.signature(ExplainClouds).parameters["trust"].default is False
    assert not (tmp_path / "written").exists()


def test_what_is_run_by_loading(tmp_path):
    class Resource(tf.saved_model.experimental.TrackableResource):
        @tf.function(input_signature=[])
        def _create_resource(self):
            return tf.raw_ops.MutexV2(shared_name="mine")

        @tf.function(input_signature=[])
        def _initialize(self):
            tf.io.write_file(str(tmp_path / "written"), "was here")
            return 1

    model = hostile.Small()
    model.resource = Resource()
    tf.saved_model.save(model, str(tmp_path / "hostile"))
    assert not (tmp_path / "written").exists()
    refused(tmp_path / "hostile", "operation ")
    assert not (tmp_path / "written").exists()
    serve.load(tmp_path / "hostile", "points", trust=True)
    assert (tmp_path / "written").exists()


class TestTheSaver:
    """What writes checkpoints stands in every SavedModel, where nothing that is called leads."""

    def test_called_by_a_function(self, edited):
        save = edited.place("save").signature.name
        put(edited.place("serve"), node("StatefulPartitionedCall", f=save))
        refused(edited.write(), "operation ", f"the function {save}")

    def test_called_by_its_name(self, edited):
        save = edited.place("save").signature.name
        put(edited.place("else_branch"), node(save))
        refused(edited.write(), "operation ")

    def test_called_from_a_list_of_branches(self, edited):
        save = edited.place("save").signature.name
        put(edited.place("body"), node("Case", branches=[save, save]))
        refused(edited.write(), f"the function {save}")

    def test_named_by_an_attribute(self, edited):
        save = edited.place("save").signature.name
        edited.place("serve").attr["backward_function_name"].s = save.encode()
        refused(edited.write(), f"the function {save}")

    def test_put_in_the_place_of_another(self, edited):
        edited.place("save").attr["api_implements"].s = b"model"
        refused(edited.write(), "traced_save")

    def test_a_function_of_the_object_graph(self, edited):
        save = edited.place("save").signature.name
        edited.meta.object_graph_def.concrete_functions[save].SetInParent()
        refused(edited.write(), f"the function {save}")

    @pytest.mark.parametrize("kind", ["function", "bare_concrete_function"])
    def test_a_function_of_an_object(self, edited, kind):
        """What an object's function is made of need not be among the functions of the object graph."""
        save = edited.place("save").signature.name
        objects = edited.meta.object_graph_def.nodes
        if kind == "function":
            one = next(item for item in objects if item.WhichOneof("kind") == "function")
            one.function.concrete_functions.append(save)
        else:
            objects.add().bare_concrete_function.concrete_function_name = save
        refused(edited.write(), f"the function {save}")

    def test_a_gradient(self, edited):
        save = edited.place("save").signature.name
        edited.library.registered_gradients[0].gradient_func = save
        refused(edited.write(), f"the function {save}")

    def test_an_answer_of_the_main_graph(self, edited):
        output = edited.meta.signature_def["serving_default"].outputs["logits"]
        output.name = edited.meta.saver_def.save_tensor_name
        refused(edited.write(), "traced_")

    def test_the_initialiser(self, edited):
        saver = edited.meta.saver_def.restore_op_name
        edited.meta.collection_def["saved_model_main_op"].node_list.value[:] = [saver]
        refused(edited.write(), "traced_")

    def test_another_node_of_the_main_graph(self, edited):
        save = edited.place("save").signature.name
        put(edited.meta.graph_def, node("StatefulPartitionedCall", f=save))
        refused(edited.write(), f"the function {save}")

    def test_a_saver_named_anew(self, edited):
        """The answer itself is called the saver: it is in the object graph and may not save."""
        (call,) = (
            item
            for item in edited.meta.graph_def.node
            if "signature_wrapper" in item.attr["f"].func.name and item.op == "StatefulPartitionedCall"
        )
        edited.meta.saver_def.save_tensor_name = f"{call.name}:0"
        put(edited.place("signature_wrapper"), node("SaveV2"))
        refused(edited.write(), "operation ")


class TestFunctions:
    def test_of_one_name(self, edited, tmp_path):
        twin = edited.library.function.add()
        twin.CopyFrom(edited.place("body"))
        put(edited.place("body"), *hostile.write_file(tmp_path / "written"))
        refused(edited.write(), "two functions of one name")

    def test_that_is_not_there(self, edited):
        put(edited.place("serve"), node("PartitionedCall", f="elsewhere_in_the_process"))
        refused(edited.write(), "'elsewhere_in_the_process'", "does not hold")

    def test_in_an_attribute_of_a_function_of_an_attribute(self, edited):
        call = node("PartitionedCall", f=edited.place("cond").signature.name)
        call.attr["f"].func.attr["g"].func.name = "elsewhere"
        put(edited.place("serve"), call)
        refused(edited.write(), "'elsewhere'", "does not hold")

    def test_in_an_attribute_of_a_definition(self, edited):
        edited.place("serve").attr["f"].func.name = "elsewhere"
        refused(edited.write(), "'elsewhere'", "does not hold")

    def test_that_call_themselves(self, edited):
        function = edited.place("serve")
        put(function, node("PartitionedCall", f=function.signature.name))
        refused(edited.write(), "call themselves")

    def test_that_multiply(self, edited):
        """Each calls the next one a hundred times: TensorFlow would write that out."""
        for level in range(9):
            function = edited.place("function that nothing calls")
            function.signature.name = f"level{level}"
            calls = [node("PartitionedCall", name=f"n{i}", f=f"level{level + 1}") for i in range(100)]
            put(function, *(calls if level < 8 else [node("NoOp")]))
        refused(edited.write(), "level0", "operations")


ABSURD = {
    "a constant": [absurd(tf.float32, 10**12)],
    "a constant of texts": [absurd(tf.string, 10**10)],
    "a constant of nonsense": [absurd(tf.float32, *[1] * 300)],
    "many constants": [absurd(tf.float64, 10**8, name=f"constant{i}") for i in range(10)],
    "a filled tensor": [constant([10**6, 10**6], tf.int64), node("Fill", "constant:output:0")],
    "a broadcast tensor": [constant([10**12], tf.int64), node("BroadcastTo", "x:0", "constant:output:0")],
    "random numbers": [constant([10**5] * 3), node("RandomUniform", "constant:output:0")],
    "a tiled tensor": [constant([10**6, 10**6]), node("Tile", "x:0", "constant:output:0")],
    "padding": [constant([[0, 0], [0, 10**12]], tf.int64), node("Pad", "x:0", "constant:output:0")],
    "a filter": [
        constant([10**5, 10**5, 1, 1]),
        node("Conv2DBackpropFilter", "x:0", "constant:output:0", "x:0"),
    ],
    "elements of a list": [
        constant([10**6], tf.int64),
        constant(10**6, name="number"),
        node("TensorListReserve", "constant:output:0", "number:output:0"),
    ],
    "a shape in an attribute": [node("TensorArrayV3", "x:0", element_shape=tf.TensorShape([10**6, 10**6]))],
    "a range": [constant(10**12, tf.int64), node("Range", "x:0", "constant:output:0")],
}


@pytest.mark.parametrize("nodes", ABSURD.values(), ids=ABSURD)
def test_absurd_sizes(edited, nodes):
    put(edited.place("body"), *nodes)
    refused(edited.write(), "in the function ")


def test_a_negative_size_hides_nothing(edited):
    put(edited.place("body"), absurd(tf.float32, 10**12), absurd(tf.float32, 1, name="other"))
    edited.place("body").node_def[-1].attr["value"].tensor.tensor_shape.dim[0].size = -(10**12)
    refused(edited.write(), "declare")


def test_absurd_numbers_in_a_signature(edited):
    """The least number that an argument may be is an array, which TensorFlow makes while it loads."""
    function = next(iter(edited.meta.object_graph_def.concrete_functions.values()))
    items = function.canonicalized_input_signature.tuple_value.values[0].tuple_value.values
    spec = items.add().bounded_tensor_spec_value
    spec.minimum.CopyFrom(absurd(tf.float32, 10**12).attr["value"].tensor)
    refused(edited.write(), "signatures declare")


def test_a_name_with_lines_stays_in_one(edited):
    function = edited.place("function that nothing calls")
    function.signature.name = "first\nsecond\x1b[2J" + "x" * 1000
    put(function, node("WriteFile"))
    assert len(refused(edited.write(), "first?second?[2J")) < 600


def test_a_handle_of_something_in_the_process(edited):
    handle = constant(1)
    handle.attr["value"].tensor.dtype = tf.resource.as_datatype_enum
    put(edited.place("serve"), handle)
    refused(edited.write(), "a constant of resource")


def test_a_variable_by_its_name_in_a_function(edited):
    """In the main graph the variables' handles stand; a function could take one of another model."""
    put(edited.place("serve"), node("VarHandleOp", shared_name=b"weights", dtype=tf.float32))
    refused(edited.write(), "operation VarHandleOp")


def test_an_attribute_that_is_left_open(edited):
    """Who calls the function says where the message goes; where it stands nothing is to be seen of it."""
    function = edited.place("function that nothing calls")
    function.signature.attr.add(name="where", type="string")
    message = node("PrintV2", "constant:output:0")
    message.attr["output_stream"].placeholder = "where"
    put(function, constant(b"x"), message)
    call = node("StatefulPartitionedCall", f="idle")
    call.attr["f"].func.attr["where"].s = b"file:///tmp/log"
    put(edited.place("serve"), call)
    refused(edited.write(), "leaves the attribute 'where' open in the function idle")


@pytest.mark.parametrize("stream", [b"file:///tmp/log", b"stderr2"])
def test_messages_into_a_file(edited, stream):
    put(edited.place("body"), constant(b"x"), node("PrintV2", "constant:output:0", output_stream=stream))
    refused(edited.write(), "PrintV2", "writes a file")


def test_the_list_names_operations_of_tensorflow_once():
    names = [name for family in FAMILIES.values() for name in family]
    assert len(names) == len(set(names)) == len(ALLOWED)
    assert not ALLOWED & SAVER
    assert SIZED.keys() <= ALLOWED
    assert not ALLOWED & set(OPERATIONS)
    for name in (*ALLOWED, *SAVER):
        assert hasattr(tf.raw_ops, name) or name in ("Enter", "Exit") or name.startswith("Xla"), name
