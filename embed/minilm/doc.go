// Package minilm is the embedding model all-MiniLM-L6-v2 inside the program: its weights, its tokenizer and its forward
// pass, without cgo, files, network or a key.
//
// It knows how one text becomes one vector, and how to do that for many texts on many cores. It does not know what the
// texts are, and it does not keep vectors.
//
// # Precision
//
// Weights are 8-bit integers with a scale for every 64 of them. The inputs of every product with weights are rounded to 8
// bits too, with a scale and a lowest value for every 64 numbers of every token, so that products and their sums are exact
// integers. One scale for a token would cost ten times as much: a few numbers of a token are far larger than the rest.
// Attention, normalisation and activation functions are float32. The cosine to the unrounded model is .9998 on average for
// news and .999 at worst, for texts of one word.
//
// A text's vector does not depend on the texts beside it. It does depend on the kernels in the last places: the cosine
// between the vectors of two kinds of processors is .9999.
//
// # Speed
//
// The products with weights are four fifths of the work. The weights lie in the file the way the instructions want them: 16
// outputs side by side, four inputs of each together, which is what VPDPBUSD (AVX-512 VNNI) and UDOT (NEON) multiply and add in one
// go. They are used where they lie, in the binary, and the next ones are fetched while a product is computed. AVX2 has no such
// instruction without saturation, so there both sides are widened to 16 bits (VPMADDWD), the weights once for all tokens that go
// through together. Without vector instructions, one multiplication of 64-bit integers computes three products. What follows a
// product is done while its sums are in registers.
//
// Nothing is padded: the tokens of texts of about one length go through the model as one matrix, and only attention looks at where a
// text begins and ends. A call allocates its vectors and next to nothing else.
package minilm
