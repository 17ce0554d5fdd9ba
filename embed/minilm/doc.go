// Package minilm is the embedding model all-MiniLM-L6-v2 inside the program: its weights, its tokenizer and its forward
// pass, without cgo, files, network or a key.
//
// It knows how one text becomes one vector, and how to do that for many texts on many cores. It does not know what the
// texts are, and it does not keep vectors.
//
// # Precision
//
// Weights are 8-bit integers with a scale for every 64 of them. The inputs of every product with weights are rounded to 16
// bits with a scale for every token, so that products and their sums are exact integers and the weights' rounding is nearly
// all of the difference to the original. Attention, normalisation and activation functions are float32.
//
// # Speed
//
// The products with weights are nine tenths of the work. The weights lie in the file the way the instructions want them: 16
// outputs side by side, two inputs of each together, which is what VPDPWSSD (AVX-512 VNNI) and VPMADDWD (AVX2) multiply and
// add in one go. They are used where they lie, in the binary, and are widened from 8 to 16 bits on the way into a register.
// What follows a product is done while its sums are in registers.
package minilm
