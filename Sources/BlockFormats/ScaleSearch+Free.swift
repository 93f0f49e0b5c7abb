import CKernels
import Kernels

extension ScaleSearch {
    /// The best scale and minimum for given codes, where they need not be rounded: the same as
    /// `offer`.
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

extension WeightedBlock {
    /// For each target the levels at which the weight of largest magnitude falls there, and the scale
    /// that suits them best; of these, in each lane, the one that costs least.
    func chooseScales(targets: [Float], rounding: LevelRounding, into scales: Lanes) {
        rounding.withKernelLevels {
            detent_level_scales(
                x, weights, count, Tile.lanes, targets, targets.count, $0, scales)
        }
    }

    /// The definition that `chooseScales` must match bit for bit.
    func chooseScalesReference(targets: [Float], rounding: LevelRounding, into scales: Lanes) {
        let numbers = Matrix(rows: 10, columns: Tile.lanes)
        let (extreme, inverseScale) = (numbers.lanes(0), numbers.lanes(1))
        let (lowest, zeros) = (numbers.lanes(2), numbers.lanes(3))
        let sums = BlockSums(numbers, from: 4)
        defer { withExtendedLifetime(numbers) {} }
        for column in 0..<count {
            for lane in 0..<Tile.lanes {
                let value = x[column * Tile.lanes + lane]
                extreme[lane] = value.magnitude > extreme[lane].magnitude ? value : extreme[lane]
            }
        }
        sums.begin(self)
        lowest.fillLanes(.infinity)
        scales.fillLanes(0)
        for target in targets {
            for lane in 0..<Tile.lanes {
                inverseScale[lane] = target * inverse(ofScale: extreme[lane])
            }
            sums.collectReference(
                self, minimums: zeros, inverseScales: inverseScale, rounding: rounding)
            for lane in 0..<Tile.lanes {
                let (ll, lx) = (sums.ll[lane], sums.lx[lane])
                let scale = lx / (ll > 0 ? ll : 1)
                // ll·s² − 2·lx·s + xx at its smallest
                let error = sums.xx[lane] - scale * lx
                scales[lane] = error < lowest[lane] ? scale : scales[lane]
                lowest[lane] = error < lowest[lane] ? error : lowest[lane]
            }
        }
    }
}
