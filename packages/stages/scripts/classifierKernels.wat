;; The inner loops of the classifier, sixteen or four numbers at a time: what `src/classify/kernels.ts` holds as bytes.
;; Addresses and sizes are in bytes and numbers as their names say; `units` is a multiple of 16, `columns` of 4.
(module
  (memory (import "classifier" "memory") 1)

  ;; sums[unit] = Σ wholes[i] · weights[rows[i] · units + unit], in whole numbers
  (func (export "sumWhole")
    (param $rows i32) (param $wholes i32) (param $count i32) (param $weights i32) (param $units i32) (param $sums i32)
    (local $block i32) (local $at i32) (local $end i32) (local $apart i32) (local $from i32)
    (local $bytes v128) (local $half v128) (local $whole v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $apart (i32.sub (local.get $wholes) (local.get $rows)))
    (local.set $end (i32.add (local.get $rows) (i32.shl (local.get $count) (i32.const 2))))
    (loop $blocks
      (local.set $a (v128.const i32x4 0 0 0 0))
      (local.set $b (v128.const i32x4 0 0 0 0))
      (local.set $c (v128.const i32x4 0 0 0 0))
      (local.set $d (v128.const i32x4 0 0 0 0))
      (local.set $at (local.get $rows))
      (local.set $from (i32.add (local.get $weights) (local.get $block)))
      (block $done
        (loop $features
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $bytes (v128.load
            (i32.add (local.get $from) (i32.mul (i32.load (local.get $at)) (local.get $units)))))
          (local.set $whole (v128.load32_splat (i32.add (local.get $at) (local.get $apart))))
          (local.set $half (i16x8.extend_low_i8x16_s (local.get $bytes)))
          (local.set $a (i32x4.add (local.get $a)
            (i32x4.mul (i32x4.extend_low_i16x8_s (local.get $half)) (local.get $whole))))
          (local.set $b (i32x4.add (local.get $b)
            (i32x4.mul (i32x4.extend_high_i16x8_s (local.get $half)) (local.get $whole))))
          (local.set $half (i16x8.extend_high_i8x16_s (local.get $bytes)))
          (local.set $c (i32x4.add (local.get $c)
            (i32x4.mul (i32x4.extend_low_i16x8_s (local.get $half)) (local.get $whole))))
          (local.set $d (i32x4.add (local.get $d)
            (i32x4.mul (i32x4.extend_high_i16x8_s (local.get $half)) (local.get $whole))))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $features)))
      (v128.store (local.get $sums) (local.get $a))
      (v128.store offset=16 (local.get $sums) (local.get $b))
      (v128.store offset=32 (local.get $sums) (local.get $c))
      (v128.store offset=48 (local.get $sums) (local.get $d))
      (local.set $sums (i32.add (local.get $sums) (i32.const 64)))
      (local.set $block (i32.add (local.get $block) (i32.const 16)))
      (br_if $blocks (i32.lt_u (local.get $block) (local.get $units)))))

  ;; out[unit] += Σ values[i] · weights[rows[i] · units + unit]
  (func (export "sum")
    (param $rows i32) (param $values i32) (param $count i32) (param $weights i32) (param $units i32) (param $out i32)
    (local $block i32) (local $at i32) (local $end i32) (local $apart i32) (local $from i32) (local $stride i32)
    (local $value v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $apart (i32.sub (local.get $values) (local.get $rows)))
    (local.set $end (i32.add (local.get $rows) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $stride (i32.shl (local.get $units) (i32.const 2)))
    (loop $blocks
      (local.set $a (v128.load (local.get $out)))
      (local.set $b (v128.load offset=16 (local.get $out)))
      (local.set $c (v128.load offset=32 (local.get $out)))
      (local.set $d (v128.load offset=48 (local.get $out)))
      (local.set $at (local.get $rows))
      (block $done
        (loop $features
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $from (i32.add (i32.add (local.get $weights) (local.get $block))
            (i32.mul (i32.load (local.get $at)) (local.get $stride))))
          (local.set $value (v128.load32_splat (i32.add (local.get $at) (local.get $apart))))
          (local.set $a (f32x4.add (local.get $a) (f32x4.mul (v128.load (local.get $from)) (local.get $value))))
          (local.set $b (f32x4.add (local.get $b) (f32x4.mul (v128.load offset=16 (local.get $from)) (local.get $value))))
          (local.set $c (f32x4.add (local.get $c) (f32x4.mul (v128.load offset=32 (local.get $from)) (local.get $value))))
          (local.set $d (f32x4.add (local.get $d) (f32x4.mul (v128.load offset=48 (local.get $from)) (local.get $value))))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $features)))
      (v128.store (local.get $out) (local.get $a))
      (v128.store offset=16 (local.get $out) (local.get $b))
      (v128.store offset=32 (local.get $out) (local.get $c))
      (v128.store offset=48 (local.get $out) (local.get $d))
      (local.set $out (i32.add (local.get $out) (i32.const 64)))
      (local.set $block (i32.add (local.get $block) (i32.const 64)))
      (br_if $blocks (i32.lt_u (local.get $block) (local.get $stride)))))

  ;; out[column] += value · row[column]
  (func (export "add") (param $value f32) (param $row i32) (param $out i32) (param $columns i32)
    (local $end i32) (local $splat v128)
    (local.set $splat (f32x4.splat (local.get $value)))
    (local.set $end (i32.add (local.get $out) (i32.shl (local.get $columns) (i32.const 2))))
    (loop $next
      (v128.store (local.get $out)
        (f32x4.add (v128.load (local.get $out)) (f32x4.mul (local.get $splat) (v128.load (local.get $row)))))
      (local.set $row (i32.add (local.get $row) (i32.const 16)))
      (local.set $out (i32.add (local.get $out) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $out) (local.get $end)))))

  ;; Σ row[column] · errors[column], and then row[column] -= move · errors[column]
  (func (export "learn") (param $move f32) (param $row i32) (param $errors i32) (param $columns i32) (result f32)
    (local $end i32) (local $splat v128) (local $sum v128) (local $one v128) (local $error v128)
    (local.set $splat (f32x4.splat (local.get $move)))
    (local.set $end (i32.add (local.get $row) (i32.shl (local.get $columns) (i32.const 2))))
    (loop $next
      (local.set $one (v128.load (local.get $row)))
      (local.set $error (v128.load (local.get $errors)))
      (local.set $sum (f32x4.add (local.get $sum) (f32x4.mul (local.get $one) (local.get $error))))
      (v128.store (local.get $row) (f32x4.sub (local.get $one) (f32x4.mul (local.get $splat) (local.get $error))))
      (local.set $row (i32.add (local.get $row) (i32.const 16)))
      (local.set $errors (i32.add (local.get $errors) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $row) (local.get $end))))
    (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
      (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum)))))

  ;; weights[rows[i] · units + unit] -= values[i] · slopes[unit]
  (func (export "spread")
    (param $rows i32) (param $values i32) (param $count i32) (param $weights i32) (param $units i32) (param $slopes i32)
    (local $at i32) (local $end i32) (local $apart i32) (local $from i32) (local $stride i32) (local $unit i32)
    (local $value v128)
    (local.set $apart (i32.sub (local.get $values) (local.get $rows)))
    (local.set $at (local.get $rows))
    (local.set $end (i32.add (local.get $rows) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $stride (i32.shl (local.get $units) (i32.const 2)))
    (block $done
      (loop $features
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $from (i32.add (local.get $weights) (i32.mul (i32.load (local.get $at)) (local.get $stride))))
        (local.set $value (v128.load32_splat (i32.add (local.get $at) (local.get $apart))))
        (local.set $unit (i32.const 0))
        (loop $next
          (v128.store (local.get $from)
            (f32x4.sub (v128.load (local.get $from))
              (f32x4.mul (local.get $value) (v128.load (i32.add (local.get $slopes) (local.get $unit))))))
          (local.set $from (i32.add (local.get $from) (i32.const 16)))
          (local.set $unit (i32.add (local.get $unit) (i32.const 16)))
          (br_if $next (i32.lt_u (local.get $unit) (local.get $stride))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $features)))))
