#!/usr/bin/env python3
"""clip-merges.txt.gz: of CLIP's merges those that its models use.

  vocabulary.py bpe_simple_vocab_16e6.txt.gz

The source is the file that openai/CLIP and open_clip ship (MIT). Kept are its first line and the 48,894 merges behind
it (clip/simple_tokenizer.py: `merges[1:49152-256-2+1]`). Run twice it writes the same bytes."""
import gzip, hashlib, os, sys

SOURCE = '924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a'
packed = open(sys.argv[1], 'rb').read()
found = hashlib.sha256(packed).hexdigest()
assert found == SOURCE, f'expected the sha256 {SOURCE}, found {found}'
lines = gzip.decompress(packed).decode('utf-8').split('\n')[:1 + 49152 - 256 - 2]
out = gzip.compress('\n'.join(lines + ['']).encode('utf-8'), 9, mtime=0)
open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clip-merges.txt.gz'), 'wb').write(out)
print(len(out), hashlib.sha256(out).hexdigest())
