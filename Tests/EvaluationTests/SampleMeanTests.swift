import Evaluation
import Testing

@Test func standardErrorIsThatOfLlamaCpp() {
    // √((mean of squares − square of the mean) / (n − 1)) of 1, 2, 3, 6: √((12.5 − 9) / 3).
    let sample = SampleMean([1, 2, 3, 6])
    #expect(sample.mean == 3)
    #expect(sample.standardError == (3.5 / 3).squareRoot())
}

@Test func oneValueHasNoStandardError() {
    #expect(SampleMean([4]).standardError == nil)
}

@Test func smallValuesOnALargeOffsetKeepTheirError() {
    // A single pass over squares would find 0 here: 1e9² has no room for 1e-3².
    let sample = SampleMean([1e9, 1e9 + 1e-3])
    #expect((sample.standardError ?? 0) > 4e-4)
}

@Test func quantilesLieBetweenTheirNeighbours() {
    let quantiles = Quantiles((0...100).map(Double.init).shuffled())
    #expect(quantiles.median == 50)
    #expect(quantiles.percentile90 == 90)
    #expect(quantiles.percentile99 == 99)
    #expect(quantiles.maximum == 100)
    #expect(Quantiles([1, 2]).median == 1.5)
}
