import ByteIO
import Evaluation
import TestSupport
import Testing

/// Damaged files of tasks are read or refused, and what is read has an answer to every question.
@Suite struct TaskMutationTests {
    private static let rounds = 2000

    /// Three tasks of two answers, of which one is empty in its second list and one is not.
    private static let multipleChoice: [UInt8] = {
        var tasks: [[UInt8]] = []
        for index in 0..<3 {
            var task = ByteBuilder()
            func add(_ text: String) {
                task.integer(UInt32(text.utf8.count))
                task.raw(text.utf8)
            }
            func add(_ answers: [String]) {
                task.integer(UInt32(answers.count))
                answers.forEach { add($0) }
                for answer in answers.indices { task.integer(Int32(answer == index ? 1 : 0)) }
            }
            add("What comes after \(index)?")
            add(["one", "two"])
            add(index == 1 ? ["both", "neither"] : [])
            tasks.append(task.bytes)
        }
        var file = ByteBuilder()
        file.integer(UInt32(tasks.count))
        var place = 4 + 4 * tasks.count
        for task in tasks {
            file.integer(UInt32(place))
            place += task.count
        }
        tasks.forEach { file.raw($0) }
        return file.bytes
    }()

    private static let files: [(ChoiceQuestion.Kind, [UInt8])] = [
        (
            .hellaSwag,
            Array("the boy\n2\nruns.\nsits.\nlifts é.\nsleeps.\na\n0\nb\nc\nd\ne".utf8)
        ),
        (
            .winogrande,
            Array("0,Sarah was better so _ won.,Sarah,Maria,2\r\n1,\"A, _ b\",x,y,1\n".utf8)
        ),
        (.multipleChoice, multipleChoice),
    ]

    @Test(arguments: files.indices) func damagedTasksNeverTrap(index: Int) throws {
        let (kind, original) = Self.files[index]
        let intact = try original.withUnsafeBytes {
            try ChoiceQuestion.questions(in: $0, kind: kind)
        }
        #expect(intact.count > 1)
        try Mutator.damage(original, rounds: Self.rounds) { bytes, what in
            try bytes.withUnsafeBytes { buffer in
                for question in try ChoiceQuestion.questions(in: buffer, kind: kind) {
                    #expect(
                        !question.answers.isEmpty
                            && question.isRight.count == question.answers.count, "\(what)")
                }
            }
        }
    }
}
