import ArgumentParser
import ByteIO
import Evaluation

/// Multiple-choice tasks, to be answered instead of predicting a text.
struct TaskOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Answer the tasks of a HellaSwag file of llama.cpp.", valueName: "file"),
        completion: .file())
    var hellaswag: String?

    @Option(
        help: ArgumentHelp(
            "Answer the tasks of a Winogrande file of llama.cpp.", valueName: "file"),
        completion: .file())
    var winogrande: String?

    @Option(
        help: ArgumentHelp(
            "Answer the tasks of a binary file of llama.cpp: ARC, MMLU, TruthfulQA.",
            valueName: "file"),
        completion: .file())
    var multipleChoice: String?

    @Option(help: ArgumentHelp("The first tasks of the file; all by default.", valueName: "n"))
    var tasks: Int?

    struct File {
        let kind: ChoiceQuestion.Kind
        let path: String
    }

    private var files: [File] {
        [
            (ChoiceQuestion.Kind.hellaSwag, hellaswag), (.winogrande, winogrande),
            (.multipleChoice, multipleChoice),
        ].compactMap { kind, path in path.map { File(kind: kind, path: $0) } }
    }

    var file: File? { files.first }

    /// The option that was given.
    var given: String? { file.map { "--\($0.kind.rawValue)" } }

    func validate() throws {
        if files.count > 1 { throw ValidationError("One file of tasks is answered at a time.") }
        if let tasks, tasks < 1 { throw ValidationError("'--tasks' must be at least 1.") }
        if tasks != nil, files.isEmpty {
            throw ValidationError("'--tasks' counts the tasks of a file; add '--hellaswag <file>'.")
        }
    }

    /// - Throws: `SystemError` and `FormatError` for a file that cannot be read.
    func questions(in file: File) throws -> [ChoiceQuestion] {
        let mapped = try MappedFile(path: file.path)
        do throws(FormatError) {
            let all = try mapped.withBytes { bytes throws(FormatError) in
                try ChoiceQuestion.questions(in: bytes, kind: file.kind)
            }
            return Array(all.prefix(tasks ?? .max))
        } catch {
            throw error.inFile(file.path)
        }
    }
}
