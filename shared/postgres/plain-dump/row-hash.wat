;; Counts the lines of COPY text and hashes each, in one pass: MurmurHash3 x64 128 of Austin Appleby, of the bytes before the
;; newline, with the seed 0x9747b28c (with 0 an empty line would hash to 0). The hashes are added modulo 2^128, so the sum
;; depends on no order, and a row that is there twice counts twice.
;; `npm run row-hash` makes row-hash-code.ts of this file.
;;
;; Memory: 0..31 a mask of sixteen bytes of ones and sixteen of zeros; the bytes to read from 256 on, and directly before
;; them those (at most fifteen) that the last call left, because no newline and no sixteen bytes were there yet.
(module
  (memory (export "memory") 5)
  (data (i32.const 0) "\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff")
  (global $rows (export "rows") (mut i64) (i64.const 0))
  (global $low (export "low") (mut i64) (i64.const 0))
  (global $high (export "high") (mut i64) (i64.const 0))
  (global $atEnd (export "atEnd") (mut i32) (i32.const 0))
  ;; Of the line that is not yet at its end: how much of it lies before 256, the hash so far and the bytes in that.
  (global $left (mut i32) (i32.const 0))
  (global $h1 (mut i64) (i64.const 0x9747b28c))
  (global $h2 (mut i64) (i64.const 0x9747b28c))
  (global $length (mut i64) (i64.const 0))

  (func (export "begin")
    (global.set $rows (i64.const 0))
    (global.set $low (i64.const 0))
    (global.set $high (i64.const 0))
    (global.set $atEnd (i32.const 0))
    (global.set $left (i32.const 0))
    (global.set $h1 (i64.const 0x9747b28c))
    (global.set $h2 (i64.const 0x9747b28c))
    (global.set $length (i64.const 0)))

  (func $mix1 (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x87c37b91114253d5)) (i64.const 31))
      (i64.const 0x4cf5ad432745937f)))

  (func $mix2 (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x4cf5ad432745937f)) (i64.const 33))
      (i64.const 0x87c37b91114253d5)))

  (func $fold (param $k i64) (result i64)
    (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 33))))

  (func $finish (param $k i64) (result i64)
    (local.set $k (i64.mul (call $fold (local.get $k)) (i64.const 0xff51afd7ed558ccd)))
    (local.set $k (i64.mul (call $fold (local.get $k)) (i64.const 0xc4ceb9fe1a85ec53)))
    (call $fold (local.get $k)))

  ;; Reads `count` bytes from 256 on; returns how many it took: all, or those up to the line `\.` and its newline.
  (func (export "read") (param $count i32) (result i32)
    (local $at i32) (local $end i32) (local $rest i32) (local $newlines i32) (local $tail i32)
    (local $block v128) (local $word i64)
    (local $h1 i64) (local $h2 i64) (local $length i64)
    (local $rows i64) (local $low i64) (local $high i64)
    (local.set $end (i32.add (i32.const 256) (local.get $count)))
    (local.set $at (i32.sub (i32.const 256) (global.get $left)))
    (local.set $h1 (global.get $h1))
    (local.set $h2 (global.get $h2))
    (local.set $length (global.get $length))
    (local.set $rows (global.get $rows))
    (local.set $low (global.get $low))
    (local.set $high (global.get $high))
    (block $stop
      (loop $next
        (local.set $rest (i32.sub (local.get $end) (local.get $at)))
        (local.set $block (v128.load (local.get $at)))
        (local.set $newlines (i8x16.bitmask (i8x16.eq (local.get $block) (i8x16.splat (i32.const 10)))))
        (if (i32.lt_s (local.get $rest) (i32.const 16))
          (then
            ;; What stands behind the end is of an earlier call.
            (local.set $newlines
              (i32.and
                (local.get $newlines)
                (i32.sub (i32.shl (i32.const 1) (local.get $rest)) (i32.const 1))))
            (if (i32.eqz (local.get $newlines))
              (then
                (v128.store (i32.sub (i32.const 256) (local.get $rest)) (local.get $block))
                (global.set $left (local.get $rest))
                (local.set $at (local.get $end))
                (br $stop)))))
        (if (i32.eqz (local.get $newlines))
          (then
            (local.set $h1
              (i64.xor (local.get $h1) (call $mix1 (i64x2.extract_lane 0 (local.get $block)))))
            (local.set $h1
              (i64.add
                (i64.mul
                  (i64.add (i64.rotl (local.get $h1) (i64.const 27)) (local.get $h2))
                  (i64.const 5))
                (i64.const 0x52dce729)))
            (local.set $h2
              (i64.xor (local.get $h2) (call $mix2 (i64x2.extract_lane 1 (local.get $block)))))
            (local.set $h2
              (i64.add
                (i64.mul
                  (i64.add (i64.rotl (local.get $h2) (i64.const 31)) (local.get $h1))
                  (i64.const 5))
                (i64.const 0x38495ab5)))
            (local.set $length (i64.add (local.get $length) (i64.const 16)))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br $next)))
        ;; The line ends within this block: its last bytes, and zeros behind them.
        (local.set $tail (i32.ctz (local.get $newlines)))
        (local.set $at (i32.add (i32.add (local.get $at) (local.get $tail)) (i32.const 1)))
        (local.set $block
          (v128.and (local.get $block) (v128.load (i32.sub (i32.const 16) (local.get $tail)))))
        (local.set $word (i64x2.extract_lane 0 (local.get $block)))
        ;; `\.`, perhaps with a carriage return. A backslash in a value is doubled, so no row looks like it.
        (if (i64.eqz (local.get $length))
          (then
            (if
              (i32.or
                (i32.and
                  (i32.eq (local.get $tail) (i32.const 2))
                  (i64.eq (local.get $word) (i64.const 0x2e5c)))
                (i32.and
                  (i32.eq (local.get $tail) (i32.const 3))
                  (i64.eq (local.get $word) (i64.const 0x0d2e5c))))
              (then
                (global.set $atEnd (i32.const 1))
                (global.set $left (i32.const 0))
                (br $stop)))))
        (local.set $length (i64.add (local.get $length) (i64.extend_i32_u (local.get $tail))))
        (local.set $h1
          (i64.xor (i64.xor (local.get $h1) (call $mix1 (local.get $word))) (local.get $length)))
        (local.set $h2
          (i64.xor
            (i64.xor (local.get $h2) (call $mix2 (i64x2.extract_lane 1 (local.get $block))))
            (local.get $length)))
        (local.set $h1 (i64.add (local.get $h1) (local.get $h2)))
        (local.set $h2 (i64.add (local.get $h2) (local.get $h1)))
        (local.set $h1 (call $finish (local.get $h1)))
        (local.set $h2 (call $finish (local.get $h2)))
        (local.set $h1 (i64.add (local.get $h1) (local.get $h2)))
        (local.set $h2 (i64.add (local.get $h2) (local.get $h1)))
        (local.set $low (i64.add (local.get $low) (local.get $h1)))
        (local.set $high
          (i64.add
            (i64.add (local.get $high) (local.get $h2))
            (i64.extend_i32_u (i64.lt_u (local.get $low) (local.get $h1)))))
        (local.set $rows (i64.add (local.get $rows) (i64.const 1)))
        (local.set $h1 (i64.const 0x9747b28c))
        (local.set $h2 (i64.const 0x9747b28c))
        (local.set $length (i64.const 0))
        (br $next)))
    (global.set $h1 (local.get $h1))
    (global.set $h2 (local.get $h2))
    (global.set $length (local.get $length))
    (global.set $rows (local.get $rows))
    (global.set $low (local.get $low))
    (global.set $high (local.get $high))
    (i32.sub (local.get $at) (i32.const 256))))
