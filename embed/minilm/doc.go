// Package minilm is the embedding model all-MiniLM-L6-v2 as a part of the program. It has the
// weights, the tokenizer and the forward pass, without cgo, files, network or a key.
//
// It turns texts into vectors on several cores. It does not know what the texts are and does not
// store vectors.
//
// # Precision
//
// Weights are 8-bit integers with a scale for every 64 of them. The inputs of products with weights
// are rounded to 8 bits too, with a scale and a lowest value for every 64 numbers of every token,
// so that products and their sums are exact integers. One scale for a token would have ten times
// the error, because a few numbers of a token are far larger than the rest. Attention,
// normalisation and activation functions are float32. The cosine to the unrounded model is .9998 on
// average for news, and .999 for the worst texts, those of one word.
//
// The vector of a text does not depend on other texts. It depends on the kernels in the last
// places: the cosine between the vectors of two kinds of processors is .9999.
//
// # Speed
//
// The products with weights are four fifths of the work. The file stores the weights in the order
// that the instructions need: 16 outputs together, with four inputs of each, which VPDPBUSD
// (AVX-512 VNNI) and UDOT (NEON) multiply and add at once. They are used in place, in the binary,
// and prefetched during the product before. AVX2 has no such instruction without saturation, so
// there both sides are widened to 16 bits (VPMADDWD), the weights once for all tokens of a pass.
// Without vector instructions, one 64-bit multiplication computes three products. Scales and
// offsets are applied while sums are in registers.
//
// Nothing is padded: the tokens of texts of about one length are one matrix, and only attention
// uses the bounds of a text. A call allocates little besides its vectors.
package minilm
