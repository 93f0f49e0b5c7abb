import CKernels

/// IEEE 754 half, little-endian; encoding rounds to nearest, ties to even.
///
/// Swift converts one half at a time through a function of the runtime (2 GB/s); the kernels use
/// the processor's instructions. `Float(Float16)` and `Float16(Float)` are their definition.
enum F16 {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        guard let target = weights.baseAddress, let source = bytes.baseAddress else { return }
        // The kernel loads halves without regard to alignment, as files do not promise any.
        detent_f16_to_f32(source.assumingMemoryBound(to: UInt16.self), target, weights.count)
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        guard let source = weights.baseAddress, let target = bytes.baseAddress else { return }
        detent_f32_to_f16(source, target.assumingMemoryBound(to: UInt16.self), weights.count)
    }
}
