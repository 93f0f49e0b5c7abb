#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The two functions of LAPACK that factorizations take, from a library that is loaded with the first of
/// them.
///
/// Linked, it would take half of every start of every command, and the threads that OpenBLAS begins with
/// would spin beside ours. Here it begins with none: factorizations run on our own, one thread each.
struct LAPACK: Sendable {
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

    static let shared = LAPACK()

    private init() {
        setenv("OPENBLAS_NUM_THREADS", "1", 1)
        let names = ["liblapacke.so.3", "liblapacke.so", "liblapacke.dylib"]
        let library = names.lazy.compactMap { dlopen($0, RTLD_NOW) }.first
        guard let library,
            let factorize = dlsym(library, "LAPACKE_dpotrf"),
            let invertTriangle = dlsym(library, "LAPACKE_dtrtri")
        else { preconditionFailure("LAPACKE is not installed (on Debian, liblapacke)") }
        self.factorize = unsafeBitCast(factorize, to: Factorize.self)
        self.invertTriangle = unsafeBitCast(invertTriangle, to: InvertTriangle.self)
    }
}
