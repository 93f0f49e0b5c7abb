import Kernels

/// The best scale and minimum for given codes, where they need not be rounded: the same as `offer`,
/// for all lanes at once.
extension ScaleSearch {
    func offerFreely(scales: Lanes) {
        let (ll, lx, xx, bestError) = (sums.ll, sums.lx, sums.xx, bestError)
        for lane in 0..<Tile.lanes {
            let fitted = lx[lane] / (ll[lane] > 0 ? ll[lane] : 1)
            // ll·s² − 2·lx·s + xx at its smallest
            let error = xx[lane] - fitted * lx[lane]
            let isBetter = error < bestError[lane]
            scales[lane] = isBetter ? fitted : scales[lane]
            bestError[lane] = isBetter ? error : bestError[lane]
        }
    }

    func offerFreely(scales: Lanes, minimums: Lanes) {
        let (sums, bestError, signs) = (sums, bestError, minimumSigns)
        let (scale, minimum) = (scale, minimum)
        for lane in 0..<Tile.lanes {
            let (w, l, ll) = (sums.w[lane], sums.l[lane], sums.ll[lane])
            let (x, lx) = (sums.x[lane], sums.lx[lane])
            let determinant = w * ll - l * l
            // All weights on one level determine no scale; then the range's own will do.
            let isDetermined = determinant > 1e-5 * w * ll
            let inverse = 1 / (isDetermined ? determinant : 1)
            var s = isDetermined ? (w * lx - l * x) * inverse : scale[lane]
            var m = isDetermined ? (ll * x - l * lx) * inverse : minimum[lane]
            // On the wrong side of zero, zero is the best minimum.
            let isOutside = m * signs[lane] < 0
            let withoutMinimum = lx / (ll > 0 ? ll : 1)
            s = isOutside ? withoutMinimum : s
            m = isOutside ? 0 : m
            let quadratic = s * (s * ll - 2 * lx) + sums.xx[lane]
            let error = quadratic + m * (m * w + 2 * (s * l - x))
            let isBetter = error < bestError[lane]
            scales[lane] = isBetter ? s : scales[lane]
            minimums[lane] = isBetter ? m : minimums[lane]
            bestError[lane] = isBetter ? error : bestError[lane]
        }
    }
}
