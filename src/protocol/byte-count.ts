// Where a count of bytes begins. A count that begins as 0 is kept as a small integer, until it outgrows 31 bits: then every function
// that was compiled for the object it belongs to is thrown away, in the middle of the traffic that made it grow. Minus zero is no
// small integer, and counts like 0.

export const NO_BYTES = -0
