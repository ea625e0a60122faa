"use strict";

// The partition of a key, as Event Hubs chooses it: Bob Jenkins' lookup3 (hashlittle2 with both seeds 0), the halves of
// its result folded into a signed number of 16 bits. Producers that buffer compute the same.

const BLOCK_BYTES = 12;

const rotated = (x, bits) => (x << bits) | (x >>> (32 - bits));

function mixed([a, b, c]) {
  a = (a - c) ^ rotated(c, 4);
  c += b;
  b = (b - a) ^ rotated(a, 6);
  a += c;
  c = (c - b) ^ rotated(b, 8);
  b += a;
  a = (a - c) ^ rotated(c, 16);
  c += b;
  b = (b - a) ^ rotated(a, 19);
  a += c;
  c = (c - b) ^ rotated(b, 4);
  b += a;
  return [a | 0, b | 0, c | 0];
}

function finished([a, b, c]) {
  c = (c ^ b) - rotated(b, 14);
  a = (a ^ c) - rotated(c, 11);
  b = (b ^ a) - rotated(a, 25);
  c = (c ^ b) - rotated(b, 16);
  a = (a ^ c) - rotated(c, 4);
  b = (b ^ a) - rotated(a, 14);
  c = (c ^ b) - rotated(b, 24);
  return [b | 0, c | 0];
}

function withBlock([a, b, c], bytes, at) {
  return [a + bytes.readUInt32LE(at), b + bytes.readUInt32LE(at + 4), c + bytes.readUInt32LE(at + 8)];
}

function hashOf(key) {
  const bytes = Buffer.from(key);
  const start = (0xdeadbeef + bytes.length) | 0;
  let state = [start, start, start];
  let at = 0;
  for (; bytes.length - at > BLOCK_BYTES; at += BLOCK_BYTES) state = mixed(withBlock(state, bytes, at));
  if (bytes.length === 0) return 0;
  const last = Buffer.alloc(BLOCK_BYTES);
  bytes.copy(last, 0, at);
  const [b, c] = finished(withBlock(state, last, 0));
  return ((b ^ c) << 16) >> 16;
}

/** The index of the partition, of `count`, that events with this key go to. */
function partitionOfKey(key, count) {
  return Math.abs(hashOf(key) % count);
}

module.exports = { partitionOfKey };
