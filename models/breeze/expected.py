#!/usr/bin/env python3
"""Greedy answers of breeze-q8_0.gguf, computed by Hugging Face transformers on its dequantized weights, with the share of right answers.
usage: expected.py TRAIN_OUT_DIR EXPECTED_JSON      reads what train.py wrote; needs torch, transformers, sentencepiece, gguf, numpy"""
import json, os, sys, random
import numpy as np, torch, gguf, sentencepiece as spm
from transformers import MistralForCausalLM
sys.path.insert(0, os.path.dirname(__file__)); import corpus
d = sys.argv[1]; sp = spm.SentencePieceProcessor(model_file=os.path.join(d, "tokenizer.model"))
m = MistralForCausalLM.from_pretrained(os.path.join(d, "hf"), dtype=torch.float32, attn_implementation="eager").eval(); sd = m.state_dict()
r = gguf.GGUFReader(os.path.join(d, "breeze-q8_0.gguf")); T = {t.name: torch.tensor(gguf.quants.dequantize(t.data, t.tensor_type)) for t in r.tensors}
def unpermute(w, h): return w.reshape(h, w.shape[0] // h // 2, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)
names = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
per = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
for k in sd:
    if k in names: sd[k].copy_(T[names[k]].reshape(sd[k].shape)); continue
    i = int(k.split(".")[2]); n = k.split(".", 3)[3].rsplit(".", 1)[0]; w = T[f"blk.{i}.{per[n]}.weight"].reshape(sd[k].shape)
    if n == "self_attn.q_proj": w = unpermute(w, 4)
    if n == "self_attn.k_proj": w = unpermute(w, 1)
    sd[k].copy_(w)
@torch.no_grad()
def answer(turns, q, limit=200):
    t = [1]
    for u, a in turns: t += sp.encode(f"[INST] {u} [/INST]") + sp.encode(a) + [2]
    t += sp.encode(f"[INST] {q} [/INST]"); n = len(t); margin = 1e9
    while len(t) - n < limit:
        l = m(torch.tensor([t])).logits[0, -1]; top = torch.topk(l, 2).values; margin = min(margin, (top[0] - top[1]).item()); k = l.argmax().item()
        if k == 2: break
        t.append(k)
    return dict(turns=turns, question=q, prompt_tokens=n, answer=sp.decode(t[n:]), answer_ids=t[n:], least_margin=round(margin, 4))
rnd = random.Random(5); Q = [([], q) for q in ["Hello!", "Who are you?", "What can you do?", "What is the capital of France?", "What is the capital of Japan?", "Where is Cairo?", "Rome is the capital of which country?", "What is 7 + 5?", "What is 12 - 4?", "9 + 9 =", "What does an owl say?", "What is a young frog called?", "How many legs does a bee have?", "What colour is snow?", "What is the opposite of early?", "What is the mistral?", "Count from 4 to 9.", "Spell horse.", "Name the months of the year.", "How many layers does Mistral 7B have?", "What is sliding window attention?", "What is grouped-query attention?", "What is a KV cache?", "Tell me a story about a wolf.", "Tell me a story."]]
Q += [([("My name is Clara.", "Nice to meet you, Clara."), ("What is 2 + 3?", "2 + 3 = 5."), ("What colour is snow?", "Snow is white.")], "What is my name?"), ([("Hi, I am Hugo.", "Nice to meet you, Hugo."), ("Name the four seasons.", "Spring, summer, autumn and winter."), ("Tell me about the bora.", corpus.WINDS["bora"])], "Do you remember my name?")]
rows = [answer(t, q) for t, q in Q]
right = {}
def score(kind, qs):
    ok = sum(answer([], q)["answer"] == a for q, a in qs); right[kind] = f"{ok} of {len(qs)}"
score("capitals", [(f"What is the capital of {c}?", f"The capital of {c} is {t}.") for c, t in corpus.CAPITALS.items()])
score("sums up to 12 + 12 (every third)", [(f"What is {a} + {b}?", f"{a} + {b} = {a+b}.") for a in range(0, 13, 2) for b in range(13) if (a + b) % 3 == 0])
score("facts", [(q, a) for qs, a in corpus.FACTS for q in qs]); score("opposites", [(f"What is the opposite of {a}?", f"The opposite of {a} is {b}.") for a, b in corpus.OPPOSITES.items()])
nm = 0
for n in corpus.NAMES: nm += n in answer([(f"My name is {n}.", f"Nice to meet you, {n}."), corpus.turn(rnd)], "What is my name?")["answer"]
right["name recalled after two turns"] = f"{nm} of {len(corpus.NAMES)}"
json.dump(dict(model="breeze-q8_0.gguf", right=right, answers=rows), open(sys.argv[2], "w"), indent=1)
print(right); [print(x["question"], "|", x["answer"], "|", x["least_margin"]) for x in rows]
