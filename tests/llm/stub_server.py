"""A small server that speaks OpenAI's chat interface on loopback: random logits, under the grammar of the request."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import llguidance
import numpy as np

from agentc.runtime.llm.vocabulary import Vocabulary

WORDS = [b"Thought: ", b"Action: ", b"search", b"finish", b'{"', b'": "', b'"}\n', b"th", b"e ", b"the ", "é".encode()]
VOCABULARY = Vocabulary.of_tokens([*(bytes([b]) for b in range(256)), *WORDS, b""], 256 + len(WORDS))
FIELDS = {
    "vllm": lambda body: body["structured_outputs"]["grammar"], "vllm-0.11": lambda body: body["guided_grammar"],
    "sglang": lambda body: body["ebnf"], "llama.cpp": lambda body: body["grammar"],
}  # fmt: skip
OWNERS = {"vllm": "vllm", "sglang": "sglang", "llama.cpp": "llamacpp"}


class Stub:
    """What the server is: ``kind`` says how it takes grammars; ``reply(body, n)`` takes the place of the model."""

    def __init__(self, kind="vllm", seed=0, reply=None, models=("random",), usage=True, status=()):
        self.kind, self.seed, self.reply, self.models, self.usage = kind, seed, reply, models, usage
        self.status = list(status)
        self.bodies = []

    def write(self, body):
        """Random tokens that the grammar leaves, to its end or to the limit; the text, its tokens, and why it stops."""
        grammar = llguidance.grammar_from("gbnf", FIELDS[self.kind](body))
        matcher = llguidance.LLMatcher(VOCABULARY.engine, grammar, log_level=0)
        assert not matcher.is_error(), matcher.get_error()
        randomness = np.random.default_rng([self.seed, len(self.bodies)])
        data, tokens = b"", 0
        while tokens < body.get("max_tokens", 300) or _partial(data):
            legal = np.array(list(matcher.compute_logit_bias()), bool)
            token = int(randomness.choice(np.flatnonzero(legal)))
            if token == VOCABULARY.eos:
                return data.decode(), tokens, "stop"
            assert matcher.consume_token(token)
            data += VOCABULARY.bytes_of[token]
            tokens += 1
            if matcher.is_stopped():
                return data.decode(), tokens, "stop"
        return data.decode(), tokens, "length"


def _partial(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


@contextmanager
def serving(stub):
    """The stub on a free port; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            owner = OWNERS.get(stub.kind, "somebody")
            self._json(200, {"data": [{"id": m, "owned_by": owner} for m in stub.models]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.bodies.append(body)
            if stub.status:
                code = stub.status.pop(0)
                if code != 200:
                    self._json(code, {"error": {"message": f"no luck: {code}"}})
                    return
            if stub.reply is not None:
                made = stub.reply(body, len(stub.bodies))
                if isinstance(made, bytes):
                    self._head("text/event-stream")
                    self.wfile.write(made)
                    return
                if isinstance(made, float):
                    time.sleep(made)
                    made = ""
                text, tokens, finish = made, len(made.split()), "stop"
            else:
                text, tokens, finish = stub.write(body)
            self._head("text/event-stream")
            try:
                for at in range(0, len(text), 7):
                    self._event({"choices": [{"delta": {"content": text[at : at + 7]}, "finish_reason": None}]})
                self._event({"choices": [{"delta": {}, "finish_reason": finish}]})
                if stub.usage:
                    self._event({"choices": [], "usage": {"completion_tokens": tokens}})
                self.wfile.write(b"data: [DONE]\n\n")
            except (BrokenPipeError, ConnectionResetError):
                pass

        def _event(self, data):
            self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")

        def _head(self, kind, code=200):
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def _json(self, code, data):
            self._head("application/json", code)
            self.wfile.write(json.dumps(data).encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
