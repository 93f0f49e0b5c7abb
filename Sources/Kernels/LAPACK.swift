#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The two functions of LAPACK that factorizations take, from a library that is loaded with the first of
/// them.
///
/// Linked, it would take a fourth of every start of every command, and the threads that OpenBLAS begins
/// with would spin beside ours. Here it begins with none: factorizations run on our own, one thread each.
package struct LAPACK: Sendable {
    typealias Factorize =
        @convention(c) (
            CInt, CChar, Int32, UnsafeMutablePointer<Double>?, Int32
        ) -> Int32
    typealias InvertTriangle =
        @convention(c) (
            CInt, CChar, CChar, Int32, UnsafeMutablePointer<Double>?, Int32
        ) -> Int32

    /// `LAPACKE_dpotrf`
    let factorize: Factorize
    /// `LAPACKE_dtrtri`
    let invertTriangle: InvertTriangle

    /// The functions, for those who have come past `checkInstalled`.
    static var shared: LAPACK {
        guard let loaded else { preconditionFailure(MissingLibrary().description) }
        return loaded
    }

    private static let loaded = LAPACK()

    /// The library that factorizations need is not there.
    package struct MissingLibrary: Error, CustomStringConvertible {
        package var description: String {
            "the library LAPACKE, which this method needs, is not installed (on Debian: liblapacke)"
        }
    }

    /// - Throws: `MissingLibrary`, before work whose factorizations would find that out.
    package static func checkInstalled() throws(MissingLibrary) {
        guard loaded != nil else { throw MissingLibrary() }
    }

    private init?() {
        setenv("OPENBLAS_NUM_THREADS", "1", 1)
        let names = ["liblapacke.so.3", "liblapacke.so", "liblapacke.dylib"]
        guard let library = names.lazy.compactMap({ dlopen($0, RTLD_NOW) }).first,
            let factorize = dlsym(library, "LAPACKE_dpotrf"),
            let invertTriangle = dlsym(library, "LAPACKE_dtrtri")
        else { return nil }
        self.factorize = unsafeBitCast(factorize, to: Factorize.self)
        self.invertTriangle = unsafeBitCast(invertTriangle, to: InvertTriangle.self)
    }
}
