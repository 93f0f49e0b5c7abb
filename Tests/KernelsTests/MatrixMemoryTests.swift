import ByteIO
import Testing
import TestSupport

@testable import Kernels

@Test(arguments: [Int.max, 4096, 0])
func matricesKeepWhatIsWrittenWhereverTheyLie(limit: Int) throws {
    let folder = try TemporaryFolder()
    let memory = MatrixMemory(byteLimit: limit, folder: folder.path)
    let matrices = try (0..<3).map { _ in try memory.matrix(rows: 30, columns: 20) }
    for (number, matrix) in matrices.enumerated() {
        #expect(matrix.elements.allSatisfy { $0 == 0 })
        for index in matrix.elements.indices { matrix.elements[index] = Float(number + index) }
    }
    // Files have no names, so that not even a killed process leaves any.
    #expect(try FileSystem.names(inFolder: folder.path).isEmpty)
    for (number, matrix) in matrices.enumerated() {
        #expect((0..<600).allSatisfy { matrix[$0 / 20, $0 % 20] == Float(number + $0) })
    }
}

/// Of a few numbers, of large pages, of pages fresh from the system.
@Test(arguments: [3, 1 << 20, (1 << 23) + 5])
func everyMatrixStartsAsAlignedZeros(count: Int) {
    for _ in 0..<2 {
        let matrix = Matrix(rows: 1, columns: count)
        #expect(Int(bitPattern: matrix.pointer(toRow: 0)) % (count < 1 << 19 ? 64 : 1 << 21) == 0)
        #expect(matrix.elements.allSatisfy { $0 == 0 })
        matrix.elements.update(repeating: 1)
    }
}

@Test func pagesThatWereLetGoOfComeBack() throws {
    let folder = try TemporaryFolder()
    let mapping = try TemporaryMapping(byteCount: 1 << 20, folder: folder.path)
    for index in mapping.bytes.indices { mapping.bytes[index] = UInt8(truncatingIfNeeded: index) }
    mapping.release()
    withExtendedLifetime(mapping) {
        #expect(mapping.bytes.enumerated().allSatisfy { $1 == UInt8(truncatingIfNeeded: $0) })
    }
}

@Test func aMatrixThatIsGoneMakesRoomInMemory() throws {
    // Whatever does not fit fails: nothing can be made in a folder that is not there.
    let memory = MatrixMemory(byteLimit: 400, folder: "/nonexistent/folder")
    for _ in 0..<3 {
        let matrix = try memory.matrix(rows: 10, columns: 10)
        #expect(throws: SystemError.self) { try memory.matrix(rows: 1, columns: 1) }
        withExtendedLifetime(matrix) {}
    }
}
