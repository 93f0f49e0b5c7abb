/// Predictions of a reference that were kept in a file, and the windows that they are of.
package struct KeptReference: Sendable {
    private let rows: any ReferenceRows
    private let context: Int
    private let windows: [[Int32]]
    /// llama.cpp keeps the text's own tokens, whatever took the place of a window's first one.
    private let keepsFirstTokenOfText: Bool

    package init(_ stored: StoredReference) {
        (rows, context, windows) = (stored, stored.context, stored.windows)
        keepsFirstTokenOfText = false
    }

    package init(_ dump: LogitDump) {
        (rows, context, windows) = (dump, dump.context, dump.windows)
        keepsFirstTokenOfText = true
    }

    /// The rows of some windows; those of later ones may stand behind them.
    ///
    /// - Throws: `EvaluationError.storedReferenceDiffers` where the file is of others.
    package func rows(
        of wanted: [EvaluationWindow], _ convention: Convention
    ) throws(EvaluationError) -> any ReferenceRows {
        guard convention == .halfWindow(context: context) else {
            throw .storedReferenceDiffers(.convention)
        }
        guard wanted.count <= windows.count else { throw .storedReferenceDiffers(.windows) }
        let skipped = keepsFirstTokenOfText ? 1 : 0
        for (window, kept) in zip(wanted, windows) {
            guard window.ids.dropFirst(skipped).elementsEqual(kept.dropFirst(skipped)) else {
                throw .storedReferenceDiffers(.text)
            }
        }
        return rows
    }
}
