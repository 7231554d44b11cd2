//! all-MiniLM-L6-v2: texts to 384-value sentence embeddings.
