/** MurmurHash3 x64 128, as its author publishes it (MurmurHash3.cpp of aappleby/smhasher). */
export function murmur128(bytes: Uint8Array, seed: bigint): { readonly h1: bigint; readonly h2: bigint } {
  const [c1, c2] = [0x87c37b91114253d5n, 0x4cf5ad432745937fn];
  const view = Buffer.concat([bytes, Buffer.alloc(16)]);
  let [h1, h2] = [seed, seed];
  const mix1 = (k: bigint) => word(rotate(word(k * c1), 31n) * c2);
  const mix2 = (k: bigint) => word(rotate(word(k * c2), 33n) * c1);
  let at = 0;
  for (; at + 16 <= bytes.length; at += 16) {
    h1 = word((rotate(h1 ^ mix1(view.readBigUInt64LE(at)), 27n) + h2) * 5n + 0x52dce729n);
    h2 = word((rotate(h2 ^ mix2(view.readBigUInt64LE(at + 8)), 31n) + h1) * 5n + 0x38495ab5n);
  }
  h1 ^= mix1(view.readBigUInt64LE(at)) ^ BigInt(bytes.length);
  h2 ^= mix2(view.readBigUInt64LE(at + 8)) ^ BigInt(bytes.length);
  h1 = word(h1 + h2);
  h2 = word(h2 + h1);
  h1 = finish(h1);
  h2 = finish(h2);
  h1 = word(h1 + h2);
  return { h1, h2: word(h2 + h1) };
}

function finish(k: bigint): bigint {
  k = word((k ^ (k >> 33n)) * 0xff51afd7ed558ccdn);
  k = word((k ^ (k >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return k ^ (k >> 33n);
}

function rotate(k: bigint, by: bigint): bigint {
  return word((k << by) | (k >> (64n - by)));
}

function word(k: bigint): bigint {
  return BigInt.asUintN(64, k);
}
