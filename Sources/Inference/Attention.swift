import Architectures
import Kernels

/// Causal scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), grouped-query heads.
///
/// Queries are taken in blocks, and a block only meets the keys that some of it may see, which halves the
/// work; within the block the mask is where a row starts and ends. A few queries are computed one by one,
/// so that what a position attends to does not depend on which positions are computed with it.
struct Attention: Sendable {
    private let headSize: Int
    private let headCount: Int
    private let keyValueHeadCount: Int
    private let scale: Float
    private let softcap: Float?
    private let penalty: DistancePenalty?
    private let precision: Precision
    /// Positions that a query sees, its own included.
    private let window: Int?

    /// Keys and values of one sequence, (position, keyValueHeadCount × headSize).
    struct Past {
        let keys: UnsafePointer<Float>
        let values: UnsafePointer<Float>
        /// Positions before the first query.
        let count: Int
    }

    /// Some queries of one head, and what they make of the positions that they meet.
    private struct Block {
        let queries: Range<Int>
        let positions: Range<Int>
        /// (query, position); 0 where a query sees nothing.
        let probabilities: UnsafeMutablePointer<Float>
    }

    private static let queriesPerBlock = 128

    init(_ description: DecoderDescription, layer: Int, precision: Precision) {
        self.precision = precision
        let scale = description.attentionScale(ofLayer: layer)
        self.scale = scale
        headSize = description.headSize
        headCount = description.headCount
        keyValueHeadCount = description.keyValueHeadCount
        softcap = description.attentionSoftcap
        window = description.window(ofLayer: layer)
        penalty = description.linearBias.map {
            DistancePenalty($0, headCount: description.headCount, scale: scale)
        }
    }

    private var keyValueWidth: Int { keyValueHeadCount * headSize }
    private var queryWidth: Int { headCount * headSize }

    /// One head of one sequence: `output` (query, headCount × headSize) gets that head's columns, and may be
    /// where the queries are.
    func attend(
        queries: UnsafePointer<Float>, queryCount: Int, head: Int, past: Past,
        into output: UnsafeMutablePointer<Float>
    ) {
        forEachBlock(queries: queries, queryCount: queryCount, head: head, past: past) { block in
            let values = past.values + block.positions.lowerBound * keyValueWidth
            precision.multiplyRows(
                MatrixOperand(block.probabilities, stride: block.positions.count),
                MatrixOperand(values + keyValueColumn(of: head), stride: keyValueWidth),
                into: output + block.queries.lowerBound * queryWidth + head * headSize,
                stride: queryWidth, rows: block.queries.count, inner: block.positions.count,
                columns: headSize)
        }
    }

    /// Adds what each position receives from all queries of one head to `mass` (position).
    func addMass(
        queries: UnsafePointer<Float>, queryCount: Int, head: Int, past: Past,
        to mass: UnsafeMutableBufferPointer<Float>
    ) {
        forEachBlock(queries: queries, queryCount: queryCount, head: head, past: past) { block in
            for query in 0..<block.queries.count {
                let row = block.probabilities + query * block.positions.count
                for (index, position) in block.positions.enumerated() {
                    mass[position] += row[index]
                }
            }
        }
    }

    private func forEachBlock(
        queries: UnsafePointer<Float>, queryCount: Int, head: Int, past: Past,
        _ body: (Block) -> Void
    ) {
        for start in stride(from: 0, to: queryCount, by: Attention.queriesPerBlock) {
            let block = start..<min(queryCount, start + Attention.queriesPerBlock)
            let positions = visible(past.count + start).lowerBound..<past.count + block.upperBound
            let keys = past.keys + positions.lowerBound * keyValueWidth
            withScratch(block.count * positions.count) { scores in
                guard let first = scores.baseAddress else { return }
                precision.multiplyRows(
                    MatrixOperand(
                        queries + start * queryWidth + head * headSize, stride: queryWidth),
                    MatrixOperand(
                        keys + keyValueColumn(of: head), stride: keyValueWidth, transposed: true),
                    into: first, stride: positions.count, rows: block.count, inner: headSize,
                    columns: positions.count, scale: scale)
                for query in block {
                    let row = (query - start) * positions.count
                    turnIntoProbabilities(
                        UnsafeMutableBufferPointer(rebasing: scores[row..<row + positions.count]),
                        of: positions, query: past.count + query, head: head)
                }
                body(Block(queries: block, positions: positions, probabilities: first))
            }
        }
    }

    private func turnIntoProbabilities(
        _ scores: UnsafeMutableBufferPointer<Float>, of positions: Range<Int>, query: Int, head: Int
    ) {
        let visible = visible(query)
        let (start, end) = (
            visible.lowerBound - positions.lowerBound, visible.upperBound - positions.lowerBound
        )
        let row = UnsafeMutableBufferPointer(rebasing: scores[start..<end])
        if let softcap { RowFunctions.softcap(row, cap: softcap) }
        penalty?.apply(to: row, first: visible.lowerBound, query: query, head: head)
        RowFunctions.softmax(row)
        scores[..<start].update(repeating: 0)
        scores[end...].update(repeating: 0)
    }

    /// The positions that the query at one position sees.
    private func visible(_ position: Int) -> Range<Int> {
        let first = window.map { max(0, position + 1 - $0) } ?? 0
        return first..<position + 1
    }

    private func keyValueColumn(of head: Int) -> Int {
        head / (headCount / keyValueHeadCount) * headSize
    }
}
