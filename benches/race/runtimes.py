"""The rivals that compile a model first: OpenVINO and ONNX Runtime, from the same checkpoint as PyTorch's towers."""
import os
import numpy as np
from rivals import Towers

THREADS = 1
CALIBRATION = 32

def threads(count):
    global THREADS
    THREADS = count

def graph(towers, tower, projection, argument):
    """A tower of PyTorch's with its projection as one graph, from tokens or pixels to rows that are not scaled."""
    class Graph(towers.torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tower, self.projection = tower, projection

        def forward(self, values): return self.projection(self.tower(**{argument: values}).pooler_output)
    return Graph().eval()

class Compiled(Towers):
    """Towers whose graphs another runtime computes. Batches and lengths stay open."""
    def __init__(self, folder, dtype):
        super().__init__(folder, 'f32')
        # The attention that both exporters can trace.
        self.model.set_attn_implementation('eager')
        side = self.model.config.vision_config.image_size
        self.text = self.compiled(graph(self, self.model.text_model, self.model.text_projection, 'input_ids'), self.torch.tensor([[0, 1, self.tokenizer.eos_token_id]] * 2), dtype)
        self.vision = self.compiled(graph(self, self.model.vision_model, self.model.visual_projection, 'pixel_values'), self.torch.zeros(2, 3, side, side), dtype)

    def normalized(self, rows):
        return self.torch.nn.functional.normalize(self.torch.from_numpy(np.ascontiguousarray(rows)).float(), dim=-1)

    def rows(self, ids): return self.normalized(self.text(np.array(ids, np.int64)))
    def features(self, pixels): return self.normalized(self.vision(pixels))

class OpenVino(Compiled):
    """OpenVINO on the CPU, tuned for throughput of one request at a time."""
    def compiled(self, module, example, dtype):
        import openvino
        shape = [-1] * example.dim() if example.dim() == 2 else [-1, *example.shape[1:]]
        model = openvino.convert_model(module, example_input=(example,), input=[openvino.PartialShape(shape)])
        hint = {'f32': 'f32', 'bf16': 'bf16', 'int8': 'f32'}[dtype]
        if dtype == 'int8': model = self.eight_bits(model, example)
        settings = {'INFERENCE_PRECISION_HINT': hint, 'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_NUM_THREADS': THREADS}
        compiled = openvino.Core().compile_model(model, 'CPU', settings)
        return lambda values: compiled([values])[0]

    def eight_bits(self, model, example):
        """Weights and inputs of products in eight bits, by NNCF's quantization after training, calibrated on random inputs."""
        import nncf
        random = np.random.default_rng(0)
        if example.dim() == 2: samples = [np.concatenate([random.integers(1, 40000, (1, 2 + i % 9)), [[self.tokenizer.eos_token_id]]], 1) for i in range(CALIBRATION)]
        else: samples = [random.standard_normal((1, *example.shape[1:])).astype(np.float32) for _ in range(CALIBRATION)]
        return nncf.quantize(model, nncf.Dataset(samples), subset_size=CALIBRATION, model_type=nncf.ModelType.TRANSFORMER)

class OnnxRuntime(Compiled):
    """ONNX Runtime's CPU provider, with all its graph optimizations."""
    def compiled(self, module, example, dtype):
        import io, onnxruntime
        if dtype != 'f32': raise ValueError('the CPU provider computes in f32')
        file = io.BytesIO()
        axes = {'x': {0: 'batch', 1: 'length'} if example.dim() == 2 else {0: 'batch'}}
        self.torch.onnx.export(module, (example,), file, input_names=['x'], output_names=['rows'], dynamic_axes=axes, opset_version=17, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(file.getvalue(), options, providers=['CPUExecutionProvider'])
        return lambda values: session.run(['rows'], {'x': values})[0]

RUNTIMES = {'OpenVINO f32': (OpenVino, 'f32'), 'OpenVINO bf16': (OpenVino, 'bf16'), 'OpenVINO int8': (OpenVino, 'int8'), 'ONNX Runtime f32': (OnnxRuntime, 'f32')}

def towers(folder, dtypes=('f32', 'bf16', 'int8')):
    """Name -> towers of each runtime that is installed and computes in one of `dtypes`; and what is missing."""
    found, missing = {}, []
    for name, (make, dtype) in RUNTIMES.items():
        if dtype not in dtypes: continue
        try: found[name] = make(folder, dtype)
        except ImportError as error: missing.append(f'{name}, for {error.name} is not installed')
    return found, missing

def versions():
    found = {}
    for name in ('openvino', 'nncf', 'onnxruntime'):
        try: found[name] = __import__(name).__version__
        except ImportError: found[name] = None
    return found
