import Kernels

/// Causal scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), grouped-query heads.
///
/// Queries are taken in blocks, and a block only meets the keys that it may see, which halves the
/// work; within the block's last keys the mask is a row's length. A few queries are computed one by one,
/// so that what a position attends to does not depend on which positions are computed with it.
struct Attention {
    let headSize: Int
    let headCount: Int
    let keyValueHeadCount: Int

    /// Keys and values of one sequence, (position, keyValueHeadCount × headSize).
    struct Past {
        let keys: UnsafePointer<Float>
        let values: UnsafePointer<Float>
        /// Positions before the first query.
        let count: Int
    }

    private static let queriesPerBlock = 128

    private var keyValueWidth: Int { keyValueHeadCount * headSize }
    private var queryWidth: Int { headCount * headSize }

    /// One head of one sequence: `output` (query, headCount × headSize) gets that head's columns.
    func attend(
        queries: UnsafePointer<Float>, queryCount: Int, head: Int, past: Past,
        into output: UnsafeMutablePointer<Float>
    ) {
        let keyValueColumn = head / (headCount / keyValueHeadCount) * headSize
        forEachBlock(queries: queries, queryCount: queryCount, head: head, past: past) {
            block, keyCount, probabilities in
            multiplyRows(
                MatrixOperand(probabilities, stride: keyCount),
                MatrixOperand(past.values + keyValueColumn, stride: keyValueWidth),
                into: output + block.lowerBound * queryWidth + head * headSize, stride: queryWidth,
                rows: block.count, inner: keyCount, columns: headSize)
        }
    }

    /// Adds what each position receives from all queries of one head to `mass` (position).
    func addMass(
        queries: UnsafePointer<Float>, queryCount: Int, head: Int, past: Past,
        to mass: UnsafeMutableBufferPointer<Float>
    ) {
        forEachBlock(queries: queries, queryCount: queryCount, head: head, past: past) {
            block, keyCount, probabilities in
            for query in 0..<block.count {
                let row = probabilities + query * keyCount
                for key in 0..<keyCount { mass[key] += row[key] }
            }
        }
    }

    private func forEachBlock(
        queries: UnsafePointer<Float>, queryCount: Int, head: Int, past: Past,
        _ body: (_ block: Range<Int>, _ keyCount: Int, _ probabilities: UnsafePointer<Float>) ->
            Void
    ) {
        let keyValueColumn = head / (headCount / keyValueHeadCount) * headSize
        let scale = 1 / Float(headSize).squareRoot()
        for start in stride(from: 0, to: queryCount, by: Attention.queriesPerBlock) {
            let block = start..<min(queryCount, start + Attention.queriesPerBlock)
            let keyCount = past.count + block.upperBound
            withScratch(block.count * keyCount) { scores in
                guard let first = scores.baseAddress else { return }
                multiplyRows(
                    MatrixOperand(
                        queries + start * queryWidth + head * headSize, stride: queryWidth),
                    MatrixOperand(
                        past.keys + keyValueColumn, stride: keyValueWidth, transposed: true),
                    into: first, stride: keyCount, rows: block.count, inner: headSize,
                    columns: keyCount, scale: scale)
                for query in block {
                    let row = first + (query - start) * keyCount
                    let visible = past.count + query + 1
                    RowFunctions.softmax(UnsafeMutableBufferPointer(start: row, count: visible))
                    (row + visible).update(repeating: 0, count: keyCount - visible)
                }
                body(block, keyCount, first)
            }
        }
    }
}
