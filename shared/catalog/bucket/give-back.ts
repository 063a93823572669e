/**
 * Gives memory back at once that nobody will look at again. It lies outside of the heap, and too little comes to lie
 * inside for the collector to run: gigabytes that pass by leave dozens of megabytes until then. What is only a part of
 * its ArrayBuffer stays: the rest may be another's.
 */
export function giveBack(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0);
}
